#!/usr/bin/env bash
# Installs what building and testing need on Debian 12, and nothing that is there already:
#   Debian packages; Apache Kafka and S3Proxy from Maven Central; delta-rs from PyPI.
# Downloads go to $FELDERA_INGEST_CACHE (default /var/cache/feldera_ingest) and are kept, so a second run is fast.
# Prints nothing when nothing is missing.  Works as root or through sudo.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${FELDERA_INGEST_CACHE:-/var/cache/feldera_ingest}
kafka_version=3.9.2
s3proxy_version=4.1.0
deltalake_version=1.6.6
pyarrow_version=22.0.0

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian packages: the build's libraries, the server, what the tests run on.
packages=(
    gcc make pkg-config postgresql-15 postgresql-client-15 postgresql-server-dev-15 postgresql-contrib
    librdkafka-dev libcurl4-openssl-dev libssl-dev libzstd-dev libsnappy-dev liblz4-dev libbrotli-dev zlib1g-dev
    libipc-run-perl perl curl openssl procps util-linux
    default-jre-headless maven python3 python3-venv
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing Debian packages: ${missing[*]}"
    # No cluster of Debian's own: the tests make theirs.
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.d/feldera_ingest.conf >/dev/null
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

as_root mkdir -p "$cache"
[ -w "$cache" ] || as_root chown "$(id -u)" "$cache"

# maven DIRECTORY COORDINATE... : the artifacts and all they need, as jars in DIRECTORY.
maven() {
    local directory=$1 work
    shift
    [ -e "$directory/complete" ] && return
    echo "fetching from Maven Central: $*"
    rm -rf "$directory"
    mkdir -p "$directory"
    work=$(mktemp -d)
    {
        echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        echo '<groupId>t</groupId><artifactId>t</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
        local coordinate group artifact version
        for coordinate in "$@"; do
            IFS=: read -r group artifact version <<<"$coordinate"
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
        done
        echo '</dependencies></project>'
    } >"$work/pom.xml"
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$directory")
    rm -rf "$work"
    touch "$directory/complete"
}

maven "$cache/kafka-$kafka_version" "org.apache.kafka:kafka_2.13:$kafka_version" org.slf4j:slf4j-reload4j:1.7.36
# Maven picks a jackson-annotations that is too old for the server; a direct dependency wins.
maven "$cache/s3proxy-$s3proxy_version" "org.gaul:s3proxy:$s3proxy_version" com.fasterxml.jackson.core:jackson-annotations:2.22

python=$cache/python-deltalake-$deltalake_version
if [ ! -e "$python/complete" ]; then
    echo "fetching from PyPI: deltalake $deltalake_version, pyarrow $pyarrow_version"
    rm -rf "$python"
    /usr/bin/python3 -m venv "$python"
    "$python/bin/pip" install -q --disable-pip-version-check "deltalake==$deltalake_version" "pyarrow==$pyarrow_version"
    touch "$python/complete"
fi

# One name for each, whatever its version.
ln -sfn "kafka-$kafka_version" "$cache/kafka"
ln -sfn "s3proxy-$s3proxy_version" "$cache/s3proxy"
ln -sfn "python-deltalake-$deltalake_version" "$cache/python"
chmod -R go+rX "$cache"
