# One image for the service and the worker; docker-compose.yml says which is which.
FROM python:3.12-slim AS packages
COPY requirements.lock /build/
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --quiet --no-cache-dir uv \
 && /opt/venv/bin/uv pip install --quiet --no-cache --python /opt/venv/bin/python --require-hashes \
      -r /build/requirements.lock \
 && /opt/venv/bin/uv pip uninstall --quiet --python /opt/venv/bin/python uv pip

FROM python:3.12-slim
# torch loads no compiler of its own on this path; libgomp is all it needs from the system.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv
COPY lab lab
COPY service service
COPY worker worker
COPY migrations migrations
RUN useradd --uid 10001 --create-home lab && install --directory --owner lab --group lab /srv/var
USER lab
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /srv/var
EXPOSE 8000
CMD ["python", "-m", "service"]
