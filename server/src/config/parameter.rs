//! One parameter: its name, what it may be, and how it is read and written.

use super::Config;
use super::kind::{Kind, Value};

/// When a parameter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// At any time.
    Runtime,
    /// Only at the start; a running server accepts the value that it already has.
    Fixed,
    /// Only at the start; a running server refuses every attempt.
    Immutable,
}

/// Where the value of a parameter is kept.
#[derive(Clone, Copy)]
pub(super) enum Storage {
    /// In a field that takes a value of the parameter's kind.
    Scalar { show: fn(&Config) -> Vec<u8>, assign: fn(&mut Config, Value) },
    /// In a field with a syntax of its own.
    Own { show: fn(&Config) -> Vec<u8>, read: fn(&mut Config, &[&[u8]]) -> Result<(), String> },
    /// As text, since nothing in the server asks for it.
    Kept { default: &'static str },
}

/// One row of the table of parameters.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// Other names of the same parameter, most of them older.
    pub aliases: &'static [&'static str],
    /// What the value may be.
    pub kind: Kind,
    /// When it may change.
    pub mutability: Mutability,
    /// Whether only `enable-protected-configs` allows clients to change it.
    pub protected: bool,
    /// Whether patterns don't find it, only its full name.
    pub hidden: bool,
    /// Whether its value is a secret that logs must not show.
    pub sensitive: bool,
    /// Whether it has no effect on this server and is only kept for clients that set it.
    pub inert: bool,
    storage: Storage,
}

impl Parameter {
    pub(super) const fn new(name: &'static str, kind: Kind, storage: Storage) -> Self {
        Self {
            name,
            aliases: &[],
            kind,
            mutability: Mutability::Runtime,
            protected: false,
            hidden: false,
            sensitive: false,
            inert: false,
            storage,
        }
    }

    /// A parameter without effect.
    pub(super) const fn kept(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, Storage::Kept { default }).inert()
    }

    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn fixed(mut self) -> Self {
        self.mutability = Mutability::Fixed;
        self
    }

    pub(super) const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    pub(super) const fn protected(mut self) -> Self {
        self.protected = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(super) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    pub(super) const fn inert(mut self) -> Self {
        self.inert = true;
        self
    }

    /// All names, the current one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The value, as `CONFIG GET` shows it.
    pub fn get(&self, config: &Config) -> Vec<u8> {
        match self.storage {
            Storage::Scalar { show, .. } | Storage::Own { show, .. } => show(config),
            Storage::Kept { default } => {
                config.kept.get(self.name).cloned().unwrap_or_else(|| default.as_bytes().to_vec())
            }
        }
    }

    /// Sets the value from its words.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the words. The configuration is then unchanged.
    pub fn set(&self, config: &mut Config, words: &[&[u8]]) -> Result<(), String> {
        match self.storage {
            Storage::Scalar { assign, .. } => assign(config, self.kind.read(words)?),
            Storage::Own { read, .. } => read(config, words)?,
            Storage::Kept { default } => {
                let text = self.kind.show(self.kind.read(words)?);
                // Only what differs is kept, so that equal configurations compare equal.
                if text == default.as_bytes() {
                    config.kept.remove(self.name);
                } else {
                    config.kept.insert(self.name, text);
                }
            }
        }
        Ok(())
    }

    /// Sets the value from one text, which is split at spaces if the parameter takes several words.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn set_text(&self, config: &mut Config, text: &[u8]) -> Result<(), String> {
        if !self.kind.takes_several() {
            return self.set(config, &[text]);
        }
        if text.is_empty() {
            return self.set(config, &[]);
        }
        let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
        self.set(config, &words)
    }
}
