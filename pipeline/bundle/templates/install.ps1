# Checks every file of this folder and installs its model in Ollama. For Windows PowerShell 5.1.
#
#   powershell -ExecutionPolicy Bypass -File install.ps1              check, ask, install
#   powershell -ExecutionPolicy Bypass -File install.ps1 -Check       check only
#   powershell -ExecutionPolicy Bypass -File install.ps1 -Key FILE    a public key that you kept
#   powershell -ExecutionPolicy Bypass -File install.ps1 -Yes         do not ask
#
# Nothing is written into this folder, and no network is used.
param([switch]$Check, [switch]$Yes, [string]$Key = '')
$ErrorActionPreference = 'Stop'

function Fail([string]$message) {
    [Console]::Error.WriteLine("install.ps1: $message")
    exit 1
}

function Digest([string]$path) {
    return (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash.ToLowerInvariant()
}

function Spaced([string]$digest) {
    return ($digest -replace '(.{8})', '$1 ').TrimEnd()
}

$folder = Split-Path -Parent $MyInvocation.MyCommand.Path
if ($Key -ne '') { $Key = (Resolve-Path -LiteralPath $Key).Path }

# ---- every file, and no other ----------------------------------------------------------------

foreach ($name in 'SHA256SUMS', 'SHA256SUMS.sig') {
    if (-not (Test-Path -LiteralPath (Join-Path $folder $name) -PathType Leaf)) {
        Fail "$name is missing in $folder."
    }
}
Write-Host 'Checking the files. This takes a while for a large model.'
$found = @{}
foreach ($item in Get-ChildItem -LiteralPath $folder -Force) {
    $name = $item.Name
    if ($item.PSIsContainer) { Fail "$name is not a plain file. Get the release again." }
    if ($item.Attributes -band [IO.FileAttributes]::ReparsePoint) {
        Fail "$name is a link. Get the release again."
    }
    if ($name -ceq 'SHA256SUMS' -or $name -ceq 'SHA256SUMS.sig') { continue }
    if ($name -cnotmatch '^[A-Za-z0-9][A-Za-z0-9._-]*$') {
        Fail ("$name does not belong here. Delete it if your computer put it there; " +
            'else get the release again.')
    }
    $found[$name] = Digest $item.FullName
}
$names = [string[]]@($found.Keys)
[Array]::Sort($names, [StringComparer]::Ordinal)
$lines = foreach ($name in $names) { $found[$name] + '  ' + $name + "`n" }
$sums = Join-Path $folder 'SHA256SUMS'
$ascii = [Text.Encoding]::GetEncoding('iso-8859-1')
$listed = $ascii.GetString([IO.File]::ReadAllBytes($sums))
if (($lines -join '') -cne $listed) {
    foreach ($line in $listed.Split("`n")) {
        if ($line.Length -lt 67) { continue }
        $name = $line.Substring(66)
        if (-not $found.ContainsKey($name)) { Fail "$name is missing. Get the release again." }
        if ($found[$name] -cne $line.Substring(0, 64)) {
            Fail "$name is damaged or was changed. Get the release again."
        }
    }
    Fail 'A file does not belong to this release, or SHA256SUMS is damaged. Get the release again.'
}

# ---- who made it -----------------------------------------------------------------------------

$whose = 'the key you gave'
if ($Key -eq '') {
    $Key = Join-Path $folder 'medllm.pub'
    $whose = 'the key in this folder, which proves nothing until you compare its fingerprint'
}
if (Get-Command openssl -ErrorAction SilentlyContinue) {
    $ErrorActionPreference = 'Continue'
    & openssl dgst -sha256 -verify $Key -signature "$sums.sig" $sums 2>&1 | Out-Null
    $verified = $LASTEXITCODE
    $ErrorActionPreference = 'Stop'
    if ($verified -ne 0) { Fail "The signature is not by $Key. Do not install this release." }
    Write-Host "Signature: right, by $whose."
} else {
    Write-Host 'Signature: NOT checked, because openssl is not on this computer.'
    Write-Host '           The files agree with SHA256SUMS; the fingerprint says whose they are.'
}
Write-Host ('Key:         ' + (Spaced (Digest $Key)))
Write-Host ('Fingerprint: ' + (Spaced (Digest $sums)))
if ($Check) {
    Write-Host 'Every file is there and unchanged.'
    exit 0
}
if (-not $Yes) {
    Write-Host 'Is this the fingerprint that the maintainer gave you on paper or by telephone?'
    $answer = Read-Host 'Type yes or no'
    if ($answer -cne 'yes') { Fail 'Nothing was installed.' }
}

# ---- install ---------------------------------------------------------------------------------

$release = @{}
foreach ($line in [IO.File]::ReadAllLines((Join-Path $folder 'release.txt'))) {
    $pair = $line.Split('=', 2)
    if ($pair.Length -eq 2) { $release[$pair[0]] = $pair[1] }
}
if (-not (Get-Command ollama -ErrorAction SilentlyContinue)) {
    Fail 'Ollama is not on this computer. Install it first.'
}
$ErrorActionPreference = 'Continue'
& ollama list 2>&1 | Out-Null
if ($LASTEXITCODE -ne 0) { Fail 'Ollama does not answer. Start the Ollama app.' }

$from = $folder
$scratch = ''
$status = 1
try {
    if ([int]$release['parts'] -gt 0) {
        $scratch = Join-Path ([IO.Path]::GetTempPath()) ('medllm-install-' + [Guid]::NewGuid())
        $drive = New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($scratch))
        if ($drive.AvailableFreeSpace -lt [long]$release['bytes']) {
            Fail ($drive.Name + ' has not enough room for ' + $release['bytes'] + ' bytes.')
        }
        New-Item -ItemType Directory -Path $scratch | Out-Null
        Write-Host ('Joining ' + $release['parts'] + ' parts.')
        $joined = Join-Path $scratch $release['gguf']
        $output = [IO.File]::Create($joined)
        for ($number = 1; $number -le [int]$release['parts']; $number++) {
            $part = Join-Path $folder ('{0}.part{1:d2}' -f $release['gguf'], $number)
            $source = [IO.File]::OpenRead($part)
            $source.CopyTo($output)
            $source.Close()
        }
        $output.Close()
        if ((Digest $joined) -cne $release['sha256']) { Fail 'The joined GGUF is not right.' }
        Copy-Item -LiteralPath (Join-Path $folder 'Modelfile') -Destination $scratch
        $from = $scratch
    }
    & ollama create $release['name'] -f (Join-Path $from 'Modelfile')
    $status = $LASTEXITCODE
} finally {
    if ($scratch -ne '') { Remove-Item -LiteralPath $scratch -Recurse -Force }
}
if ($status -ne 0) { Fail 'Ollama did not create the model; its message is above.' }
Write-Host ('Installed. Start it with: ollama run ' + $release['name'])
