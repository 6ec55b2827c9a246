# Sourced by the scripts that use programs written in Go. They are built from their modules and never committed:
#
#   go_program NAME PACKAGE VERSION   builds the program once into .cache/go/bin, where PATH then finds it
#   go_module MODULE VERSION          prints the folder of a module's sources

# What the newest of the modules asks for. Debian's package is often older; any go from 1.19 on can fetch this one.
go_needed=1.26.8
go_bin=$PWD/.cache/go/bin
export PATH=$go_bin:$PATH

go_program() {
  local name=$1 package=$2@$3 built=$go_bin/.$1@$3
  [ -e "$built" ] && [ -x "$go_bin/$name" ] && return
  need_go
  echo "building $name from $package" >&2
  mkdir -p "$go_bin"
  if ! GOBIN=$go_bin go install "$package"; then
    echo "$0: could not build $package with $(go version)" >&2
    exit 1
  fi
  touch "$built"
}

go_module() {
  need_go
  go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p'
}

# Finds go, as root on Debian installs its package where there is none, and sees to it that it is new enough.
need_go() {
  if ! command -v go >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no go on this machine: installing Debian's package golang" >&2
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq golang >&2 || true
  fi
  if ! command -v go >/dev/null; then
    echo "$0: needs go, and there is none: see https://go.dev/doc/install, or as root: apt-get install golang" >&2
    exit 1
  fi
  local version
  version=$(go env GOVERSION)
  [ "$(printf '%s\n' "go$go_needed" "$version" | sort -V | head -1)" = "go$go_needed" ] && return

  # The toolchain is a module like any other (https://go.dev/ref/mod#go-toolchain-selection), but an old go leaves it
  # without the modes of its programs.
  echo "$version is older than $go_needed: fetching that from the Go module proxy" >&2
  local toolchain=golang.org/toolchain@v0.0.1-go$go_needed.$(go env GOOS)-$(go env GOARCH)
  GOROOT=$(GOTOOLCHAIN=local go mod download -json "$toolchain" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p')
  if [ -z "$GOROOT" ]; then
    echo "$0: needs go $go_needed or newer; $(command -v go) is $version and could not fetch it" >&2
    exit 1
  fi
  chmod +x "$GOROOT"/bin/* "$GOROOT"/pkg/tool/*/*
  export GOROOT PATH=$GOROOT/bin:$PATH
}
