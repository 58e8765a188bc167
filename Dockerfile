FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/app
# uv in the version that uv.lock pins, apart from the environment that is shipped.
COPY pyproject.toml uv.lock ./
RUN python -m venv /uv \
    && /uv/bin/pip install --quiet "uv==$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)"
# Dependencies change less often than the code: a layer of their own.
RUN /uv/bin/uv sync --frozen --no-dev --no-install-project
COPY README.md LICENSE ./
COPY service ./service
RUN /uv/bin/uv sync --frozen --no-dev --no-editable && mkdir /data

FROM python:3.13-slim
COPY --from=build /app /app
# Where the ledger is kept: mount a volume here, or a new container forgets what was paid for.
COPY --from=build --chown=65532:65532 /data /data
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["videogen-worker"]
CMD ["run"]
