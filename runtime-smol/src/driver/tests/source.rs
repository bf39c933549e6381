//! The driver knows nothing of any protocol, and stays small enough to read in one sitting.

use std::path::Path;

#[test]
fn the_driver_imports_only_the_vocabulary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        files += 1;
        assert!(text.lines().count() < 500, "{} is too long", path.display());
        for (index, line) in text.lines().enumerate() {
            for part in line.split("cocaine_core::").skip(1) {
                let allowed = part.starts_with("machine") || part.starts_with("time");
                assert!(allowed, "{}:{}: {line}", path.display(), index + 1);
            }
        }
    }
    assert!(files > 10);
}
