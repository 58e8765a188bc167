"""The bare loop, with requests handed straight to the transport: what a program that knows its transport can do."""

from service.cli.event_loop import run_to_the_end
from tests.bench.bare_loop import work
from tests.bench.job import Job
from tests.bench.transport import straight

if __name__ == "__main__":
    run_to_the_end(work(Job.from_command_line(), straight))
