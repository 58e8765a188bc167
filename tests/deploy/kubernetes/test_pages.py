"""What pages show for a cluster. There is none here; the client reads every command before it asks for one."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, Page, pages

NOT_RUN = [(page, block) for page in pages() for block in page.blocks if block.not_run is not None]
FOR_A_CLUSTER = [(page, block) for page, block in NOT_RUN if "kubectl " in block.script]
# Whoever gets that far has understood the command, its options and the files that it names.
NO_CLUSTER = re.compile(r"refused - did you specify the right host|connect: connection refused")
# Goes on after each, as if there were a cluster.
CLIENT = """#!/usr/bin/env python3
import json, subprocess, sys
done = subprocess.run([{kubectl!r}, "--server=http://127.0.0.1:9", *sys.argv[1:]], capture_output=True, text=True)
with open({record!r}, "a") as record:
    print(json.dumps([sys.argv[1:], done.returncode, done.stderr]), file=record)
sys.stdout.write(done.stdout)
"""
OTHERS = {"docker": "true", "openssl": "echo made-up"}


def command(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def of_block(given: tuple[Page, Block]) -> str:
    return f"{given[0].name}-{given[1].line}"


@pytest.mark.parametrize("given", FOR_A_CLUSTER, ids=of_block)
def test_the_client_understands_every_command_for_a_cluster(
    given: tuple[Page, Block], kubectl: str, tmp_path: Path
) -> None:
    _, block = given
    here, commands, record = tmp_path / "here", tmp_path / "commands", tmp_path / "record"
    shutil.copytree(ROOT / "deploy", here / "deploy")
    shutil.copytree(here / "deploy/kubernetes/overlays/production", here / "deploy/kubernetes/overlays/ours")
    for file in re.findall(r"--from-file=(?:[\w.]+=)?(\S+)", block.script):
        (here / file).write_text("anything")
    command(commands, "kubectl", CLIENT.format(kubectl=kubectl, record=str(record)))
    for name, what in OTHERS.items():
        command(commands, name, f"#!/bin/sh\n{what}\n")

    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.script],
        cwd=here,
        env={"PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert ended.returncode == 0, ended.stderr
    asked = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(asked) >= block.script.count("kubectl ")
    assert [each for each in asked if each[1] != 0 and not NO_CLUSTER.search(each[2])] == []


def test_a_slip_in_an_option_is_not_taken_for_a_cluster_that_is_away(kubectl: str) -> None:
    done = subprocess.run(
        [kubectl, "--server=http://127.0.0.1:9", "apply", "--kustomise=x"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert not NO_CLUSTER.search(done.stderr)
