FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE .telemetry ./
COPY src src
RUN pip install --no-cache-dir -r requirements.txt
COPY conf conf
VOLUME /app/data
ENTRYPOINT ["kedro", "run"]
