# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# apt with its own lists, state and cache: packages of any Debian suite can be
# looked up and downloaded, while the system's sources and dpkg stay untouched.
# The mirror is the one the system itself uses. Needs ui.sh and cache.sh.
#
# Whoever uses a group holds the lock apt-GROUP (cache.sh) until it is done.
#
#   apt_open GROUP                make GROUP's configuration, set APT_CONFIG
#   apt_refresh [--now]           fetch the lists, at most once a day
#   apt_names PREFIX              package names that begin with PREFIX
#   apt_fetch FOLDER PACKAGE...   download and extract packages into FOLDER

APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Print "URI SUITE" for each binary entry of the system's own sources, both the
# one-line and the deb822 kind. Disabled entries and other files do not count.
apt_system_entries() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -r $file ]] || continue
		sed -E 's/^deb[[:space:]]+\[[^]]*\]/deb/' "$file" |
			awk '$1 == "deb" { print $2, $3 }'
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ -r $file ]] || continue
		awk -v RS= '{
			types = uris = suites = ""; on = 1
			n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				value = line[i]; sub(/^[^:]*:[ \t]*/, "", value)
				if (line[i] ~ /^Types:/) types = value
				if (line[i] ~ /^URIs:/) uris = value
				if (line[i] ~ /^Suites:/) suites = value
				if (line[i] ~ /^Enabled:[ \t]*no/) on = 0
			}
			if (!on || types !~ /(^| )deb( |$)/) next
			nu = split(uris, u, " "); ns = split(suites, s, " ")
			for (i = 1; i <= nu; i++) for (j = 1; j <= ns; j++) print u[i], s[j]
		}' "$file"
	done
}

# The URI to use for SUITE: that of the system's entry for its own release.
# (Security suites live in an archive of their own.)
apt_uri_for() {
	local suite=$1 own pattern
	own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
	pattern="$own"
	[[ $suite == *-security ]] && pattern="$own-security"
	apt_system_entries | awk -v suite="$pattern" '
		$2 == suite || $2 == suite "/updates" { print $1; exit }'
}

# The suites of one Debian release make up an apt group.
apt_group_suites() {
	case $1 in
	bookworm) echo bookworm bookworm-updates bookworm-security bookworm-backports ;;
	bullseye) echo bullseye bullseye-security ;;
	trixie) echo trixie trixie-security trixie-backports ;;
	sid) echo sid ;;
	*) die "no such apt group: $1" ;;
	esac
}

apt_open() {
	local group=$1 suite suites uri
	suites=$(apt_group_suites "$group")
	need apt-get apt
	APT_DIR=$CACHE/apt/$group
	[[ -r $APT_KEYRING ]] ||
		die "no $APT_KEYRING" "apt install debian-archive-keyring"
	rm -rf "$APT_DIR"/fetch.* # left by someone killed: callers hold the lock
	mkdir -p "$APT_DIR"/{state/lists/partial,cache/archives/partial}
	: >"$APT_DIR/status"
	for suite in $suites; do
		uri=$(apt_uri_for "$suite")
		[[ -n $uri ]] || die "found no mirror for $suite in /etc/apt" \
			"this needs a Debian system with its own release in sources.list"
		printf 'deb [signed-by=%s] %s %s main\n' "$APT_KEYRING" "$uri" "$suite"
	done >"$APT_DIR/sources.list.new"
	mv "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"
	cat >"$APT_DIR/apt.conf" <<-END
		Dir::State "$APT_DIR/state";
		Dir::State::status "$APT_DIR/status";
		Dir::State::Lists "$APT_DIR/state/lists";
		Dir::Cache "$APT_DIR/cache";
		Dir::Etc::SourceList "$APT_DIR/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	END
	export APT_CONFIG=$APT_DIR/apt.conf
}

# Lists younger than a day are kept, unless --now. When the mirror cannot be
# reached, older lists serve as well; none at all is an error.
apt_refresh() {
	local stamp=$APT_DIR/refreshed
	if [[ ${1:-} != --now && -n $(find "$stamp" -mtime -1 2>/dev/null) ]]; then
		return 0
	fi
	step "fetching package lists (${APT_DIR##*/})"
	if apt-get -qq update >"$APT_DIR/log" 2>&1; then
		touch "$stamp"
	elif [[ -e $stamp ]]; then
		warn "could not refresh the package lists; using those of $(date -r "$stamp" +%F)"
	else
		cat "$APT_DIR/log" >&2
		die "could not fetch package lists" "is the mirror of this system reachable?"
	fi
}

apt_names() {
	apt-cache pkgnames "$1" 2>/dev/null
}

apt_fetch() {
	local folder=$1 work
	shift
	work=$(mktemp -d "$APT_DIR/fetch.XXXXXX")
	if ! (cd "$work" && apt-get -q download "$@" >log 2>&1); then
		cat "$work/log" >&2
		rm -rf "$work"
		die "could not download: $*"
	fi
	mkdir -p "$folder"
	local deb
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$folder"
	done
	rm -rf "$work"
}
