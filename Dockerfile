# One image for the service and the worker; docker-compose.yml says which is which.
FROM python:3.12-slim

# One stage: the packages take gigabytes, and a copy from a stage of their own would store them twice.
# Compiled here, because the containers cannot write beside them: each start would compile them again.
RUN --mount=type=bind,source=requirements.lock,target=/tmp/requirements.lock \
    python -m venv --without-pip /opt/venv \
 && python -m pip install --quiet --no-cache-dir --root-user-action ignore --target /tmp/uv uv \
 && /tmp/uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/venv/bin/python \
      --require-hashes -r /tmp/requirements.lock \
 && rm -rf /tmp/uv

WORKDIR /srv
COPY lab lab
COPY service service
COPY worker worker
COPY migrations migrations
# The code belongs to root; the user of the processes reads it, even from a checkout with a strict umask.
RUN useradd --uid 10001 --no-create-home lab \
 && chmod -R a+rX . \
 && install --directory --owner lab --group lab var
USER lab
# Libraries keep their caches under HOME; /tmp is the one place besides var that can be written.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /srv/var
EXPOSE 8000
CMD ["python", "-m", "service"]
