"""A dataset file is read whatever packs it, and damage is named, never passed over."""

import gzip
import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import files
from medllm.pipeline.sources.files import DataFile, data_files
from medllm.pipeline.sources.reading import Row, rows, shape
from medllm.pipeline.sources.turns import Dropped

LINES = b"".join(b'{"a": %d}\n' % n for n in range(30_000))


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def read(file: DataFile) -> bytes:
    with file.open() as stream:
        return stream.read()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows", "rows.zip"])
def test_the_content_says_what_packs_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(LINES)
    assert read(DataFile(tmp_path / name)) == LINES
    (tmp_path / name).write_bytes(gzip.compress(LINES[:99]) + gzip.compress(LINES[99:]))
    assert read(DataFile(tmp_path / name)) == LINES
    zipped(tmp_path / name, a_dot_csv=LINES, b_dot_json=gzip.compress(LINES))
    found = data_files(tmp_path / name)
    assert [file.name for file in found] == [f"{name}:a.csv", f"{name}:b.json"]
    assert [read(file) for file in found] == [LINES, LINES]


def test_a_local_file_can_seek_and_a_copy_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LINES)
    with DataFile(tmp_path / "a").local() as path:
        assert path == tmp_path / "a"
    (tmp_path / "a.gz").write_bytes(gzip.compress(LINES))
    with DataFile(tmp_path / "a.gz").local() as path:
        assert path.read_bytes() == LINES
        assert path != tmp_path / "a.gz"
    assert not path.exists()


@pytest.mark.parametrize("pack", ["gzip", "zip"])
def test_parquet_inside_an_archive(tmp_path: Path, pack: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(500))}), buffer)
    path = tmp_path / "packed"
    if pack == "gzip":
        path.write_bytes(gzip.compress(buffer.getvalue()))
    else:
        zipped(path, x_dot_parquet=buffer.getvalue())
    [file] = data_files(path)
    assert shape(file) == "parquet"
    assert sum(1 for _ in rows(file)) == 500


@pytest.mark.parametrize("keep", [3, 9, 12, 40, 40_000])
def test_a_gzip_cut_short_gives_the_rows_before_and_then_the_fault(
    tmp_path: Path, keep: int
) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(gzip.compress(LINES)[:keep])
    seen = list[Row | Dropped]()
    with pytest.raises(MedllmError, match=r"rows\.gz is damaged or cut short"):
        seen.extend(rows(DataFile(path)))
    assert [row.value for row in seen if isinstance(row, Row)] == [
        {"a": n} for n in range(len(seen))
    ]
    assert (len(seen) > 1000) == (keep == 40_000)


@pytest.mark.parametrize("where", [30, 2000, -30, -8])
def test_a_byte_flipped_in_an_archive_is_never_passed_over(tmp_path: Path, where: int) -> None:
    noise = b"".join(b'{"a": "%s"}\n' % os.urandom(20).hex().encode() for _ in range(500))
    for pack in ("gzip", "zip"):
        path = tmp_path / pack
        content = gzip.compress(noise) if pack == "gzip" else b""
        if pack == "zip":
            content = zipped(path, a_dot_json=noise).read_bytes()
            if where < 0:
                continue  # there is the list of members
        at = where % len(content)
        path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        with pytest.raises(MedllmError, match="damaged or cut short"):
            [list(rows(file)) for file in data_files(path)]


@pytest.mark.parametrize("keep", [10, 100, 300])
def test_a_zip_cut_short(tmp_path: Path, keep: int) -> None:
    path = zipped(tmp_path / "data.zip", a_dot_json=LINES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MedllmError, match=r"data\.zip is damaged or cut short"):
        data_files(path)


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_ALWAYS_ALLOWED", 2**20)
    zeros = bytes(20 * 2**20)
    (tmp_path / "bomb").write_bytes(gzip.compress(zeros))
    zipped(tmp_path / "nested", a_dot_txt=gzip.compress(gzip.compress(zeros)), b_dot_txt=zeros)
    bombs = [DataFile(tmp_path / "bomb"), *data_files(tmp_path / "nested")]
    for bomb in (bombs[0], bombs[2]):
        with pytest.raises(MedllmError, match="unpacks to more than 300 times its size"):
            read(bomb)
        with pytest.raises(MedllmError, match="unpacks to more than"), bomb.local():
            pass
    assert len(read(bombs[1])) < 2**20  # one layer is unpacked, not a second


def test_a_gzip_of_repetitive_text_is_no_bomb(tmp_path: Path) -> None:
    table = b"".join(b"%d,female,Fever and a cough since a week.\n" % n for n in range(10**6))
    (tmp_path / "t").write_bytes(gzip.compress(table, 9))
    tracemalloc.start()
    with DataFile(tmp_path / "t").open() as stream:
        assert sum(1 for _ in stream) == 10**6
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 < len(table) / 30


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", a_dot_txt=LINES, b_dot_txt=LINES)
    content = bytearray(path.read_bytes())
    first, second = (i for i in range(len(content)) if content[i : i + 4] == b"PK\x01\x02")
    size = path.stat().st_size
    for entry in (first, second):
        content[entry + 20 : entry + 24] = (size - 50).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(MedllmError, match="members overlap"):
        data_files(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", a_dot_txt=LINES)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(MedllmError, match=r"z\.zip:a\.txt is encrypted"):
        read(data_files(path)[0])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"(\xb5/\xfd\x00", "zstd"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"PK\x03\x04", "a zip archive"),
        (b"x" * 257 + b"ustar\x0000", "a tar archive"),
        (b"\x80\x04\x95\x00", "a Python pickle"),
        (b"ARROW1\x00\x00", "an Arrow file"),
    ],
)
def test_other_kinds_are_refused_by_content(tmp_path: Path, content: bytes, what: str) -> None:
    for packed in (content, gzip.compress(content)):
        (tmp_path / "rows.json").write_bytes(packed)
        with pytest.raises(MedllmError, match=f"is {what}"):
            read(DataFile(tmp_path / "rows.json"))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="No such file"):
        DataFile(tmp_path / "none").open()
    with pytest.raises(MedllmError, match="Is a directory"):
        DataFile(tmp_path).open()
    with pytest.raises(MedllmError, match="damaged"):
        DataFile(zipped(tmp_path / "z", a=b""), "b").open()
    with pytest.raises(MedllmError, match="There is no"):
        data_files(tmp_path / "none")
    with pytest.raises(MedllmError, match="neither file nor folder"):
        data_files(Path(os.devnull))


def test_a_folder_gives_its_data_files_in_order(tmp_path: Path) -> None:
    for name in ("b/2.parquet", "b/1.csv.gz", "a.json", "C.JSONL", "README.txt", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    for name in (".cache/x.json", "__MACOSX/a.json", "b/.hidden.csv", "SHA256SUMS.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    zipped(tmp_path / "d.zip", x_dot_tsv=b"a", sub__y_dot_txt=b"b", z_dot_png=b"c", w_dot_zip=b"d")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    assert [
        file.path.relative_to(tmp_path).as_posix() + (f":{file.member}" if file.member else "")
        for file in data_files(tmp_path)
    ] == [
        *("C.JSONL", "a.json", "b/1.csv.gz", "b/2.parquet"),
        *("d.zip:sub/y.txt", "d.zip:x.tsv", "link.json"),
    ]


def test_odd_names_of_members(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", **{"./a.json": b"1", "b//c.json": b"2", "../d.json": b"3"})
    assert [read(file) for file in data_files(path)] == [b"1", b"2"]
    path.write_bytes(path.read_bytes().replace(b"./a.json", b"\0./a.jso"))  # a name of nothing
    assert [read(file) for file in data_files(path)] == [b"2"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("a.json", b"1")
        archive.writestr("a.json", b"2")
    with pytest.raises(MedllmError, match="two members of one name"):
        data_files(tmp_path / "z")


def test_a_folder_or_zip_without_data(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(MedllmError, match=r"holds no data file\. Give a file, or a folder"):
        data_files(tmp_path)
    with pytest.raises(MedllmError, match="holds no data file"):
        data_files(zipped(tmp_path / "z", a_dot_png=b""))


def test_a_stream_is_closed_with_what_is_below_it(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", a_dot_json=gzip.compress(LINES))
    [file] = data_files(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with file.open() as stream:
            stream.read(10)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
