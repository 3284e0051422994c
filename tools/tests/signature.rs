//! Keys and signatures, from making a key to refusing a file.

mod support;

use std::fs;

use distil_tools::fixture::Fixture;
use support::{Place, shape};

/// A key and a packed, signed model.
fn signed() -> Place {
    let place = Place::with(&Fixture { layers: 1, ..Fixture::default() });
    place.ok(&["keygen", "-o", "release"]);
    place.ok(&["pack", "model", "-o", "model.distil", "--sign", "release.key"]);
    place
}

#[test]
fn keys_are_texts_and_are_never_overwritten() {
    let place = Place::empty();
    let keys = place.json(&["keygen", "-o", "release", "--json"]);
    assert_eq!((&keys["private"], &keys["public"]), (&"release.key".into(), &"release.pub".into()));
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let (private, public) = (read("release.key"), read("release.pub"));
    assert_eq!(public, format!("distil ed25519 public key 1\n{}\n", keys["key"].as_str().unwrap()));
    assert!(private.starts_with("distil ed25519 private key 1\n") && private.len() == 28 + 1 + 64 + 1, "{private}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(place.path("release.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(place.listing(), ["release.key", "release.pub"]);

    let again = place.fails(&["keygen", "-o", "release"]);
    assert!(
        again.contains("release.key: exists; a key is never overwritten") && again.ends_with("code 2\n"),
        "{again}"
    );
    fs::remove_file(place.path("release.key")).unwrap();
    let again = place.fails(&["keygen", "-o", "release"]);
    assert!(again.contains("release.pub: exists"), "{again}");
    assert_eq!((place.listing(), read("release.pub")), (vec!["release.pub".to_owned()], public), "no half of a pair");
    let nowhere = place.fails(&["keygen", "-o", "missing/release"]);
    assert!(nowhere.contains("cannot be written") && nowhere.ends_with("code 1\n"), "{nowhere}");
    assert_ne!(place.json(&["keygen", "-o", "other", "--json"])["key"], keys["key"]);
}

#[test]
fn a_signed_file_is_verified() {
    let place = signed();
    let packed = fs::read(place.path("model.distil.sig")).unwrap();
    assert_eq!(packed.len(), 64);
    let report = place.json(&["verify", "model.distil", "--key", "release.pub", "--json"]);
    assert_eq!(shape(&report), serde_json::json!({ "file": "text", "key": "text", "signature": "text" }));
    let said = place.ok(&["verify", "model.distil", "--key", "release.pub"]);
    assert!(said.starts_with("model.distil: signature and file are right\nsignature: model.distil.sig, by "), "{said}");
    let both = place.json(&["verify", "model.distil", "--key", "release.pub", "--against", "model", "--json"]);
    assert_eq!((&both["signed_by"], &both["passed"]), (&report["key"], &true.into()));
    let neither = place.json(&["verify", "model.distil", "--against", "model", "--json"]);
    assert!(neither["signed_by"].is_null());

    // The same key and file give the same signature, made later or moved elsewhere.
    fs::rename(place.path("model.distil.sig"), place.path("moved.sig")).unwrap();
    place.ok(&["verify", "model.distil", "moved.sig", "--key", "release.pub"]);
    let sign = place.json(&["sign", "model.distil", "--key", "release.key", "--json"]);
    assert_eq!((&sign["signature"], &sign["key"]), (&"model.distil.sig".into(), &report["key"]));
    assert_eq!(fs::read(place.path("model.distil.sig")).unwrap(), packed);
}

#[test]
fn what_is_not_signed_is_refused() {
    let place = signed();
    place.ok(&["keygen", "-o", "other"]);
    let check = ["verify", "model.distil", "--key", "release.pub"];
    let mismatch = "model.distil, signature model.distil.sig: the signature is not this key's for this file";
    let other = place.fails(&["verify", "model.distil", "--key", "other.pub"]);
    assert!(other.contains(mismatch) && other.ends_with("code 1\n"), "{other}");

    let signature = fs::read(place.path("model.distil.sig")).unwrap();
    for len in [0, 63, 65] {
        let mut wrong = signature.clone();
        wrong.resize(len, 0);
        place.write("model.distil.sig", wrong);
        let said = place.fails(&check);
        assert!(said.contains(&format!("model.distil.sig: the signature has {len} bytes, not 64")), "{said}");
        assert!(said.ends_with("code 1\n"), "{said}");
    }
    for at in [0, 31, 32, 63] {
        let mut wrong = signature.clone();
        wrong[at] ^= 1;
        place.write("model.distil.sig", wrong);
        assert!(place.fails(&check).contains(mismatch));
    }
    place.write("model.distil.sig", &signature);
    // A flipped bit of the file: the signature is looked at first, whatever else is wrong.
    let whole = fs::read(place.path("model.distil")).unwrap();
    for at in [0, 30, whole.len() / 2, whole.len() - 1] {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x10;
        place.write("model.distil", wrong);
        let said = place.fails(&check);
        assert!(said.contains(mismatch) && said.ends_with("code 1\n"), "{said}");
        let unsigned = place.fails(&["sign", "model.distil", "--key", "release.key"]);
        assert!(unsigned.ends_with("code 2\n"), "a damaged file is not signed: {unsigned}");
    }
    assert_eq!(fs::read(place.path("model.distil.sig")).unwrap(), signature);
}

#[test]
fn what_is_no_key_is_refused() {
    let place = signed();
    for (arguments, expected) in [
        (&["verify", "model.distil", "--key", "release.key"][..], "release.key: not a public key: its first line is"),
        (&["verify", "model.distil", "--key", "missing.pub"], "missing.pub: cannot be read as a key"),
        (&["verify", "model.distil", "missing.sig", "--key", "release.pub"], "missing.sig: cannot be read"),
        (&["sign", "model.distil", "--key", "release.pub"], "release.pub: not a private key"),
        (&["sign", "missing.distil", "--key", "release.key"], "missing.distil: cannot be read"),
        (&["pack", "model", "-o", "new.distil", "--sign", "release.pub"], "release.pub: not a private key"),
        (&["verify", "model.distil", "model.distil.sig", "--against", "model"], "--key"),
        (&["verify", "model.distil"], "--against"),
    ] {
        let said = place.fails(arguments);
        assert!(said.contains(expected) && said.ends_with("code 2\n"), "{said}");
    }
    assert!(!place.path("new.distil").exists(), "nothing is packed that cannot be signed");
}
