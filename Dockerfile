FROM python:3.12-slim AS build
RUN pip install --no-cache-dir "uv>=0.9,<1"
WORKDIR /app
# --build-arg EXTRAS="--extra demo" or "--extra console": the demo recommender, or the console, too
ARG EXTRAS=""
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --locked --no-dev --no-install-project $EXTRAS
COPY schemas schemas
COPY streams streams
COPY sinks sinks
COPY dashboards dashboards
COPY rectrace rectrace
RUN uv sync --locked --no-dev --no-editable $EXTRAS

FROM python:3.12-slim
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH
USER nobody
ENTRYPOINT ["rectrace"]
CMD ["worker"]
