# Sourced by check.sh, demo.sh and bench.sh at the top of the tree: install what is missing, build, and make a copy of
# what the tests need in a directory that the unprivileged user owns; it is removed at the end.

user=$(id -un)
[ "$(id -u)" = 0 ] && user=postgres

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Run a command in the copy, with the server's programs in the PATH and what PostgreSQL's test modules want to know.
run_as_user() {
    local pgxs become=()
    pgxs=$(dirname "$(dirname "$(pg_config --pgxs)")")
    [ "$(id -u)" != 0 ] || become=(runuser -u "$user" --)
    (cd "$copy" && "${become[@]}" env HOME="$copy" PATH="$(pg_config --bindir):$PATH" LC_ALL=C.UTF-8 TESTDIR="$copy" \
        PG_REGRESS="$pgxs/test/regress/pg_regress" PERL5LIB="$copy/test/perl:$pgxs/test/perl" "$@")
}

build_all() {
    test/install.sh
    make -s -j"$(nproc)" all
    as_root make -s install >/dev/null
    make -s -j"$(nproc)" -C test/modules/apply_test >/dev/null
    as_root make -s -C test/modules/apply_test install >/dev/null
    make -s -j"$(nproc)" tools
}

# Sets $copy.
enter_copy() {
    copy=$(mktemp -d /tmp/feldera_ingest_XXXXXX)
    trap 'rm -rf "$copy"' EXIT
    mkdir -p "$copy/build"
    cp -r sql expected test "$copy/"
    if [ -d build/sanitize/unit ]; then
        mkdir -p "$copy/build/sanitize"
        cp -r build/sanitize/unit "$copy/build/sanitize/"
    fi
    chmod -R u+rwX "$copy"
    chmod 755 "$copy"
    [ "$(id -u)" != 0 ] || chown -R "$user" "$copy"
}
