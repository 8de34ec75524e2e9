# Serves a trained classifier on the CPU, at http://127.0.0.1:8000:
#
#     docker build --tag discern .
#     docker run --rm --publish 127.0.0.1:8000:8000 --volume "$PWD/runs/birds:/model:ro" discern
#
# Set DISCERN_TOKEN (--env) to require a token. Arguments after the name of the image stand for /model:
# several classifiers as NAME=FOLDER, and options of `discern serve`.

FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/discern
ENV PATH=/opt/discern/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-dev.lock ./
# The builds for the CPU; those of the package index take 4.4 GB more, for NVIDIA GPUs.
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu --constraint requirements-dev.lock \
    torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Headers of C++ and the installer are not needed to serve.
RUN pip install --constraint requirements-dev.lock '.[serve]' \
    && rm -r /opt/discern/lib/python3.13/site-packages/torch/include \
    && pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home discern
COPY --from=build /opt/discern /opt/discern
ENV PATH=/opt/discern/bin:$PATH
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["discern", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["/model"]
