//! Names of uploaded files. The name given by the client is a hint, never a path.

/// Maximum length of a file name in common file systems, in bytes.
const MAX_NAME: usize = 255;

/// Maximum length of an extension that is kept when a name is shortened, in bytes.
const MAX_EXTENSION: usize = 32;

/// Returns the safe part of a client's file name: its last component, without control characters and `..`.
pub(crate) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut safe: String = last.chars().filter(|c| !c.is_control()).collect();
    while safe.contains("..") {
        safe = safe.replace("..", ".");
    }
    match safe.trim() {
        "" | "." => "file".to_owned(),
        safe => safe.to_owned(),
    }
}

/// Returns the stored name of the `n`-th file with this safe name and time stamp. It has at most 255 bytes and keeps
/// the extension.
pub(super) fn stored_name(stamp: &str, safe: &str, n: u32) -> String {
    let number = if n > 1 { format!("_{n}") } else { String::new() };
    let dot = safe.rfind('.').filter(|dot| *dot > 0 && safe.len() - dot <= MAX_EXTENSION);
    let (stem, extension) = safe.split_at(dot.unwrap_or(safe.len()));
    let max_stem = MAX_NAME - stamp.len() - 1 - number.len() - extension.len();
    let stem = &stem[..stem.floor_char_boundary(max_stem)];
    format!("{stamp}_{stem}{number}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAMP: &str = "20261123_213502";

    #[test]
    fn only_the_last_component_is_kept() {
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.csv", "a.csv"),
            ("a/../..", "file"),
            ("..", "file"),
            ("", "file"),
            (" \t ", "file"),
            ("a\0b\r\n.txt", "ab.txt"),
            ("a....txt", "a.txt"),
            ("dir/", "file"),
            (" résumé 1.pdf ", "résumé 1.pdf"),
            (".env", ".env"),
        ] {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn names_of_one_second_are_numbered_before_the_extension() {
        assert_eq!(stored_name(STAMP, "a.txt", 1), "20261123_213502_a.txt");
        assert_eq!(stored_name(STAMP, "a.txt", 2), "20261123_213502_a_2.txt");
        assert_eq!(stored_name(STAMP, ".env", 3), "20261123_213502_.env_3");
        let long = stored_name(STAMP, &format!("{}.csv", "é".repeat(300)), 12);
        assert!(long.len() <= 255 && long.ends_with("é_12.csv"), "{long}");
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_folder(name in "(\\PC|[./\\\\\0\r\n]){0,400}", n in 1u32..2000) {
            let name = stored_name(STAMP, &safe_name(&name), n);
            prop_assert!(name.len() <= 255 && name.starts_with(STAMP));
            prop_assert!(!name.contains(['/', '\\', '\0']) && !name.contains(".."));
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert_eq!(std::path::Path::new(&name).components().count(), 1);
        }
    }
}
