# docker build --build-arg REVISION="$(git rev-parse HEAD)" -t videogen-worker .

# The version of pyproject.toml; the build ends where the two differ.
ARG VERSION=0.1.0
ARG REVISION=unknown

FROM python:3.13-slim AS base

FROM base AS dependencies
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/app
COPY pyproject.toml uv.lock ./
# uv in the version that uv.lock pins, and what builds the package, apart from the environment that is shipped.
RUN sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/uv==\1/p;}' uv.lock > /tools.txt \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
        >> /tools.txt \
    && python -m venv /tools \
    && /tools/bin/pip install --quiet --requirement /tools.txt
# Dependencies change less often than the code: a layer of their own.
RUN /tools/bin/uv sync --frozen --no-dev --extra otel --no-install-project && rm -f /app/.lock && mkdir /data

# Needs no network: after a change of the code nothing is fetched.
FROM dependencies AS source
COPY README.md LICENSE ./
COPY service ./service
ARG VERSION
ARG REVISION
# A file, because an environment variable that begins with VIDEOGEN_ is taken for a setting.
RUN printf '%s\n' "$REVISION" > service/data/revision \
    && /tools/bin/uv build --quiet --offline --wheel --no-build-isolation --python /tools/bin/python --out-dir /dist \
    && /tools/bin/uv pip install --quiet --offline --no-deps --python /app/bin/python --prefix /source \
        "/dist/videogen_worker-$VERSION-py3-none-any.whl" \
    && rm -f /source/.lock

FROM base
COPY --from=dependencies /app /app
# Where a SQLite ledger is kept: mount a volume here, or a new container forgets what was paid for.
COPY --from=dependencies --chown=65532:65532 /data /data
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["videogen-worker"]
CMD ["run"]
# Last, and alone in its layer: what changes with every commit.
COPY --from=source /source /app
ARG VERSION
ARG REVISION
# Where the source can be had: an address.
ARG SOURCE_URL=
LABEL org.opencontainers.image.title="videogen-worker" \
      org.opencontainers.image.description="RabbitMQ worker that submits video-generation requests to a paid HTTP endpoint and publishes one result for each." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE_URL" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"
