FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg libchromaprint1 \
    && rm -rf /var/lib/apt/lists/*

# What fsspec needs for media elsewhere, such as s3fs for s3://
ARG STORAGE_PACKAGES=""

COPY . /src
RUN pip install --no-cache-dir /src ${STORAGE_PACKAGES} && rm -rf /src

RUN useradd --create-home --uid 10001 sordino && install --directory --owner sordino /var/lib/sordino
USER sordino
ENV SORDINO_HOME=/var/lib/sordino
VOLUME /var/lib/sordino

ENTRYPOINT ["sordino"]
CMD ["--help"]
