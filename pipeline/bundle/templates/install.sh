#!/bin/sh
# Checks every file of this folder and installs its model in Ollama. Needs a shell and Ollama.
#
#   sh install.sh              check, ask, install
#   sh install.sh --check      check only
#   sh install.sh --key FILE   check the signature with a public key that you kept, not this one
#   sh install.sh --yes        do not ask whether the fingerprint is right
#
# Nothing is written into this folder, and no network is used.
set -u
LC_ALL=C
export LC_ALL
unset CDPATH

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

check_only=no ask=yes key=
while [ $# -gt 0 ]; do
    case $1 in
        --check) check_only=yes ;;
        --yes) ask=no ;;
        --key)
            [ $# -ge 2 ] || fail "--key needs a file."
            case $2 in /*) key=$2 ;; *) key=$PWD/$2 ;; esac
            [ -f "$key" ] || fail "There is no key $2."
            shift
            ;;
        *) fail "Unknown option $1. Known are --check, --yes and --key FILE." ;;
    esac
    shift
done

cd -- "$(dirname -- "$0")" || fail "This folder cannot be opened."
folder=$(pwd -P)

# The SHA-256 of a file, 64 hex digits; nothing when it cannot be read.
if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum 2>/dev/null < "$1" | cut -c 1-64; }
elif command -v shasum >/dev/null 2>&1; then
    digest() { shasum -a 256 2>/dev/null < "$1" | cut -c 1-64; }
else
    fail "Neither sha256sum nor shasum is on this computer, so nothing can be checked."
fi

spaced() { printf '%s\n' "$1" | sed 's/......../& /g; s/ $//'; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/medllm-install.XXXXXX") || fail "No temporary folder."
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM

# ---- every file, and no other ----------------------------------------------------------------

[ -f SHA256SUMS ] && [ ! -L SHA256SUMS ] || fail "SHA256SUMS is missing in $folder."
[ -f SHA256SUMS.sig ] && [ ! -L SHA256SUMS.sig ] || fail "SHA256SUMS.sig is missing in $folder."
echo "Checking the files. This takes a while for a large model."
: > "$scratch/found"
for name in * .[!.]* ..?*; do
    [ -e "$name" ] || [ -L "$name" ] || continue
    [ ! -L "$name" ] || fail "$name is a link. Get the release again."
    [ -f "$name" ] || fail "$name is not a plain file. Get the release again."
    case $name in
        SHA256SUMS | SHA256SUMS.sig) continue ;;
        [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*)
            fail "$name does not belong here. Delete it if your computer put it there;" \
                "else get the release again."
            ;;
    esac
    sum=$(digest "$name")
    [ -n "$sum" ] || fail "$name cannot be read."
    printf '%s  %s\n' "$sum" "$name" >> "$scratch/found"
done
sort -k 2 "$scratch/found" > "$scratch/sums"
if ! cmp -s "$scratch/sums" SHA256SUMS; then
    while read -r sum name; do
        listed=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\$/\1/p" SHA256SUMS 2>/dev/null)
        [ -n "$listed" ] || fail "$name does not belong to this release, or SHA256SUMS is damaged."
        [ "$listed" = "$sum" ] || fail "$name is damaged or was changed. Get the release again."
    done < "$scratch/sums"
    while read -r sum name; do
        [ -z "$name" ] || [ -f "$name" ] || fail "$name is missing. Get the release again."
    done < SHA256SUMS
    fail "SHA256SUMS is damaged. Get the release again."
fi

# ---- who made it -----------------------------------------------------------------------------

whose="the key you gave"
if [ -z "$key" ]; then
    key=$folder/medllm.pub
    whose="the key in this folder, which proves nothing until you compare its fingerprint"
fi
if command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -verify "$key" -signature SHA256SUMS.sig SHA256SUMS >/dev/null 2>&1 ||
        fail "The signature is not by $key. Do not install this release."
    echo "Signature: right, by $whose."
else
    echo "Signature: NOT checked, because openssl is not on this computer."
    echo "           The files agree with SHA256SUMS; whose they are, only the fingerprint says."
fi
echo "Key:         $(spaced "$(digest "$key")")"
echo "Fingerprint: $(spaced "$(digest SHA256SUMS)")"
if [ "$check_only" = yes ]; then
    echo "Every file is there and unchanged."
    exit 0
fi
if [ "$ask" = yes ] && [ -t 0 ]; then
    echo "Is this the fingerprint that the maintainer gave you on paper or by telephone?"
    printf 'Type yes or no: '
    read -r answer || answer=no
    [ "$answer" = yes ] || fail "Nothing was installed."
fi

# ---- install ---------------------------------------------------------------------------------

value() { sed -n "s/^$1=//p" release.txt; }
name=$(value name) gguf=$(value gguf) bytes=$(value bytes) parts=$(value parts)
memory=$(value memory)

command -v ollama >/dev/null 2>&1 || fail "Ollama is not on this computer. Install it first."
ollama list >/dev/null 2>&1 || fail "Ollama does not answer. Start it with: ollama serve"

ram=
if [ -r /proc/meminfo ]; then
    ram=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
elif command -v sysctl >/dev/null 2>&1; then
    ram=$(($(sysctl -n hw.memsize 2>/dev/null || echo 0) / 1024))
fi
if [ "${ram:-0}" -gt 0 ] && [ "$ram" -lt $((memory / 1024)) ]; then
    echo "Warning: the model needs $((memory / 1048576)) MiB of memory;" \
        "this computer has $((ram / 1024))." >&2
fi

room() { # free KiB where a folder is, or would be
    place=$1
    while [ ! -d "$place" ]; do place=$(dirname -- "$place"); done
    df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print $4 }'
}

# Ollama keeps the file and, while it creates, sometimes a second one in its own layout.
models=${OLLAMA_MODELS:-${HOME:-/}/.ollama/models}
free=$(room "$models")
[ "${free:-0}" -ge $((bytes / 512)) ] ||
    fail "$models has $((${free:-0} / 1024)) MiB free; $((bytes / 524288)) are needed."

from=$folder
if [ "$parts" -gt 0 ]; then
    free=$(room "$scratch")
    [ "${free:-0}" -ge $((bytes / 1024 + 1024)) ] ||
        fail "$scratch has $((${free:-0} / 1024)) MiB free; $((bytes / 1048576)) are needed." \
            "Set TMPDIR to a folder on a larger disk."
    echo "Joining $parts parts."
    for part in "$gguf".part*; do
        cat -- "$part" >> "$scratch/$gguf" || fail "$part cannot be copied."
    done
    [ "$(digest "$scratch/$gguf")" = "$(value sha256)" ] || fail "The joined $gguf is not right."
    cp Modelfile "$scratch/Modelfile" || fail "Modelfile cannot be copied."
    from=$scratch
fi
ollama create "$name" -f "$from/Modelfile" ||
    fail "Ollama did not create $name; its message is above."
echo "Installed. Start it with: ollama run $name"
