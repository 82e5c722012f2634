# Sourced by ./quickstart and ./check: installs the Debian packages named as arguments that are missing, and says which.
install_packages() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    echo "Installing from Debian:$missing"
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            echo "Not root and no sudo here. As root, run: apt-get install$missing" >&2
            return 1
        }
        as_root=sudo
    fi
    # shellcheck disable=SC2086 # words on purpose
    $as_root apt-get update -qq && \
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libzip-dev libjansson-dev libxxhash-dev libsodium-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev"
TEST_PACKAGES="libcmocka-dev clang-14 libclang-rt-14-dev libopenblas0-pthread"
# The kernels of the other architecture are run as well (tests/cross/run).
case $(uname -m) in x86_64) TEST_PACKAGES="$TEST_PACKAGES gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static" ;; esac
