//! How much room the disk of the store has.

use std::{path::PathBuf, sync::Arc};

use qc_engine::{DiskGauge, DiskRoom};

use crate::config::StoreKind;

/// Looks at the disk of a database file; other stores are on no disk of this machine, or say by their own errors that
/// there is no room.
pub(crate) fn gauge(store: &StoreKind) -> Option<DiskGauge> {
    let StoreKind::Sqlite(file) = store else { return None };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
    Some(DiskGauge(Arc::new(move || room(&folder))))
}

/// The room for this user at a path. None: it cannot be told.
pub(crate) fn room(folder: &std::path::Path) -> Option<DiskRoom> {
    let numbers = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(numbers.f_frsize);
    Some(DiskRoom { free: bytes(numbers.f_bavail), size: bytes(numbers.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_has_a_disk() {
        let DiskGauge(look) = gauge(&StoreKind::Sqlite(PathBuf::from("qc.db"))).unwrap();
        let room = look().unwrap();
        assert!(room.size > 0 && room.free <= room.size, "{room:?}");
        assert!(gauge(&StoreKind::Memory).is_none());
        let nowhere = gauge(&StoreKind::Sqlite(PathBuf::from("/not/there/qc.db"))).unwrap();
        assert_eq!((nowhere.0)(), None);
    }
}
