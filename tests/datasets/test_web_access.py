import pytest
from kedro.io import DatasetError

from video_recommender.datasets import WebAccessDataset


def test_cookies_and_proxy_come_from_the_credentials(tmp_path):
    (tmp_path / "cookies.txt").write_text("# Netscape HTTP Cookie File\n")

    access = WebAccessDataset(
        path=f"{tmp_path}/partial",
        credentials={"cookies": f"{tmp_path}/cookies.txt", "proxy": "socks5://proxy.example"},
    ).load()

    assert (access.cookies, access.proxy) == ("# Netscape HTTP Cookie File\n", "socks5://proxy.example")
    assert access.partial_folder == tmp_path / "partial"
    assert not access.partial_folder.exists()


def test_credentials_are_optional(tmp_path):
    access = WebAccessDataset(path=str(tmp_path), credentials={}).load()

    assert (access.cookies, access.proxy) == ("", "")


def test_an_unreadable_cookie_file_is_an_error_that_does_not_reveal_its_content(tmp_path):
    (tmp_path / "cookies.txt").write_bytes(b"s3cret\xff")

    with pytest.raises(DatasetError, match=r"cookie file in credentials\.yml cannot be read") as raised:
        WebAccessDataset(path=str(tmp_path), credentials={"cookies": f"{tmp_path}/cookies.txt"}).load()

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "cookies",
    [
        "# Netscape HTTP Cookie File\n127.0.0.1 FALSE / FALSE 0 SESSION s3cret-cookie\n",
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\tsoon\tSESSION\ts3cret-cookie\n",
        "# Netscape HTTP Cookie File\n.videos.example\tFALSE\t/\tFALSE\t0\tSESSION\ts3cret-cookie\n",
        '[{"name": "SESSION", "value": "s3cret-cookie"}]',
        "SESSION=s3cret-cookie",
    ],
)
def test_cookies_in_another_format_are_rejected_without_revealing_them(tmp_path, cookies, capfd):
    (tmp_path / "cookies.txt").write_text(cookies)

    with pytest.raises(DatasetError, match=r"is not in Netscape format .* export it again") as raised:
        WebAccessDataset(path=str(tmp_path), credentials={"cookies": f"{tmp_path}/cookies.txt"}).load()

    assert "s3cret" not in str(raised.value)
    assert "s3cret" not in "".join(capfd.readouterr())


def test_a_misspelt_credential_is_reported_without_its_value(tmp_path):
    with pytest.raises(
        DatasetError, match="Unknown web credentials proxi: the valid keys are cookies and proxy"
    ) as raised:
        WebAccessDataset(path=str(tmp_path), credentials={"proxi": "http://me:s3cret@proxy.example"})

    assert "s3cret" not in str(raised.value)


def test_the_description_contains_no_secrets(tmp_path):
    dataset = WebAccessDataset(path=str(tmp_path), credentials={"proxy": "http://me:s3cret@proxy.example"})

    assert "s3cret" not in repr(dataset)


def test_the_dataset_is_read_only(tmp_path):
    with pytest.raises(DatasetError, match="read-only: edit credentials"):
        WebAccessDataset(path=str(tmp_path)).save("proxy")
