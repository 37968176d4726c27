import animate
from animate.training.conf import conf_folder


def test_an_installed_package_reads_the_files_it_carries(tmp_path, monkeypatch) -> None:
    package = tmp_path / "lib" / "site" / "animate"
    (package / "conf").mkdir(parents=True)
    (tmp_path / "lib" / "conf").mkdir()
    monkeypatch.setattr(animate, "__file__", str(package / "__init__.py"))
    assert conf_folder() == package / "conf"
    (package / "conf").rmdir()
    assert conf_folder() == tmp_path / "lib" / "conf"
