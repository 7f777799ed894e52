//! Which import a content belongs to. Each content has a folder of its own in the state folder, with a plan; the
//! plan's only file says how many bytes of it are planned, and their hash.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lastwords_record::ShipperId;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::ImportError;
use crate::{
    plan::{FILE_NAME, PlanError, glance, was_begun_by},
    source::{content::Content, fingerprint::Fingerprint, identity::FileState},
};

/// The id of the only file in an import's plan.
pub(super) const FILE: u64 = 1;
const HASH_BYTES: usize = 1 << 20;

/// The imports of one subject.
pub(super) struct Known {
    folder: PathBuf,
    subject: String,
    imports: Vec<Import>,
    damaged: Vec<DamagedImport>,
}

/// An import whose plan is damaged: how much of its content is stored is not known.
struct DamagedImport {
    plan: PathBuf,
    why: String,
    /// What its content begins with, where the plan still says so.
    identity: Option<Fingerprint>,
}

/// One import of a content.
#[derive(Debug, Clone)]
pub(super) struct Import {
    /// Its folder.
    pub folder: PathBuf,
    /// The identity under which its batches go.
    pub shipper: ShipperId,
    /// How far it is planned; none for a new one.
    pub file: Option<FileState>,
}

impl Known {
    /// Reads what is known of a subject. A damaged plan is left as it is; see [`Known::refuse_damaged`].
    pub(super) fn read(folder: &Path, subject: &str) -> Result<Known, ImportError> {
        let failed = |source| PlanError::Io { attempted: "read", path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let prefix = format!("{:032x}-", xxh3_128(subject.as_bytes()));
        let (mut imports, mut damaged) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with(&prefix)) else { continue };
            let plan = entry.path().join(FILE_NAME);
            let bytes = match fs::read(&plan) {
                Ok(bytes) => bytes,
                // Killed before anything was planned.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(source) => return Err(PlanError::Io { attempted: "read", path: plan, source }.into()),
            };
            let shipper = match ShipperId::version_1(subject, name) {
                old if was_begun_by(&bytes, old) => old,
                _ => ShipperId::of(subject, name),
            };
            match glance(&bytes, shipper) {
                Ok(memory) => {
                    let file = memory.files.get(&FILE).cloned();
                    imports.extend(file.map(|file| Import {
                        folder: entry.path(),
                        shipper,
                        file: Some(file),
                    }));
                }
                Err(found) => {
                    let identity = found.salvaged.files.get(&FILE).map(|file| file.identity);
                    damaged.push(DamagedImport { plan, why: found.why, identity });
                }
            }
        }
        Ok(Known { folder: folder.to_owned(), subject: subject.to_owned(), imports, damaged })
    }

    /// A content that may belong to a damaged plan is not imported: lines that are stored would be stored twice.
    pub(super) fn refuse_damaged(&self, what: &str, head: &[u8]) -> Result<(), ImportError> {
        let may_be =
            |damaged: &&DamagedImport| damaged.identity.is_none_or(|identity| identity.matches(head));
        match self.damaged.iter().find(may_be) {
            None => Ok(()),
            Some(DamagedImport { plan, why, .. }) => {
                Err(ImportError::Damaged { what: what.to_owned(), plan: plan.clone(), why: why.clone() })
            }
        }
    }

    /// Whether a content that begins so may be known.
    pub(super) fn may_know(&self, head: &[u8]) -> bool {
        self.candidates(head).next().is_some()
    }

    fn candidates<'a>(&'a self, head: &'a [u8]) -> impl Iterator<Item = (&'a Import, &'a FileState)> {
        self.imports.iter().filter_map(move |import| {
            let file = import.file.as_ref()?;
            (file.position > 0 && file.identity.matches(head)).then_some((import, file))
        })
    }

    /// The import that knows the most of a content, and the hash of what it knows.
    pub(super) fn find(&self, content: &mut Content, head: &[u8]) -> std::io::Result<Option<(Import, Xxh3)>> {
        let mut candidates: Vec<(&Import, &FileState)> = self.candidates(head).collect();
        candidates.sort_by_key(|(_, file)| file.position);
        let (mut hash, mut position, mut found) = (Xxh3::new(), 0, None);
        let mut buffer = vec![0; HASH_BYTES];
        for (import, file) in candidates {
            while position < file.position {
                let rest = usize::try_from(file.position - position).unwrap_or(usize::MAX).min(HASH_BYTES);
                let read = content.read_at(position, buffer.get_mut(..rest).unwrap_or_default())?;
                if read == 0 {
                    return Ok(found);
                }
                hash.update(buffer.get(..read).unwrap_or_default());
                position += read as u64;
            }
            if hex(&hash) == file.digest {
                found = Some((import.clone(), hash.clone()));
            }
        }
        Ok(found)
    }

    /// A folder and an identity for a content that nobody knows.
    pub(super) fn begin(&self, now_ns: i64) -> Import {
        let name = format!("{:032x}-{now_ns:x}-{}", xxh3_128(self.subject.as_bytes()), self.imports.len());
        Import { folder: self.folder.join(&name), shipper: ShipperId::of(&self.subject, &name), file: None }
    }

    /// Remembers how far an import is.
    pub(super) fn update(&mut self, import: Import) {
        match self.imports.iter_mut().find(|known| known.folder == import.folder) {
            Some(known) => *known = import,
            None => self.imports.push(import),
        }
    }
}

/// The hash so far, as the plan writes it.
pub(super) fn hex(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}
