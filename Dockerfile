FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE .telemetry ./
COPY src src
RUN pip install --no-cache-dir -r requirements.txt
COPY conf conf
# Store MLflow's database and artifacts in the volume
RUN sed --in-place 's|sqlite:///mlflow.db|sqlite:///data/mlflow.db|' conf/base/mlflow.yml
VOLUME /app/data
ENTRYPOINT ["kedro", "run"]
