FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/octonet \
 && /opt/octonet/bin/pip install --no-cache-dir --require-hashes -r requirements/all.lock \
 && /opt/octonet/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 octonet && install -d -o octonet /data
COPY --from=build /opt/octonet /opt/octonet
ENV PATH=/opt/octonet/bin:$PATH OCTONET_DATA_DIR=/data OCTONET_HOST=0.0.0.0
USER octonet
WORKDIR /data
VOLUME /data
EXPOSE 4488
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4488/health')"]
ENTRYPOINT ["octonet"]
CMD ["serve"]
