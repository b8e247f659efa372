#!/usr/bin/env bash
# Installs what is missing to build, run and test Pausemark on Debian 12 or 13; says so first.
#
# Outside this checkout it writes packages, and by them toolchain caches, nothing else:
# python and compilers that Debian lacks go to .venv and .pausemark. PAUSEMARK_WITHOUT="docker bcc
# browser dev" leaves parts out. Ends with 4 when the machine cannot be set up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_lib.sh
source tools/setup_lib.sh
# shellcheck source=tools/setup_parts.sh
source tools/setup_parts.sh

read_release
mkdir -p .pausemark/bin
want_all
install_wanted
link_go
make_venv
fetch_page_scripts
prepare_docker
done_talk
