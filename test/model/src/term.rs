//! Values as Erlang reads them: its external term format.

use std::io::{self, Write};

/// An Erlang term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// One of the program's own words.
    Atom(&'static str),
    /// A number.
    Number(i32),
    /// A text, as a binary.
    Text(String),
    /// A list.
    List(Vec<Term>),
    /// A tuple.
    Tuple(Vec<Term>),
}

/// A value that Erlang can read.
pub trait ToTerm {
    /// The same as a term.
    fn to_term(&self) -> Term;
}

impl ToTerm for &'static str {
    fn to_term(&self) -> Term {
        Term::Text((*self).to_owned())
    }
}

impl ToTerm for String {
    fn to_term(&self) -> Term {
        Term::Text(self.clone())
    }
}

impl<T: ToTerm> ToTerm for Vec<T> {
    fn to_term(&self) -> Term {
        Term::List(self.iter().map(ToTerm::to_term).collect())
    }
}

impl<T: ToTerm> ToTerm for Option<T> {
    fn to_term(&self) -> Term {
        self.as_ref().map_or(Term::Atom("none"), ToTerm::to_term)
    }
}

/// A tuple that begins with an atom.
#[must_use]
pub fn tagged(tag: &'static str, rest: impl IntoIterator<Item = Term>) -> Term {
    let first = [Term::Atom(tag)];
    Term::Tuple(first.into_iter().chain(rest).collect())
}

impl Term {
    /// The bytes that `binary_to_term/1` takes.
    ///
    /// # Errors
    /// What the writer says, or that something is too long for the format.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&[131])?;
        self.write_part(to)
    }

    fn write_part(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Atom(word) => {
                to.write_all(&[119, u8::try_from(word.len()).map_err(io::Error::other)?])?;
                to.write_all(word.as_bytes())
            }
            Self::Number(number) => {
                to.write_all(&[98])?;
                to.write_all(&number.to_be_bytes())
            }
            Self::Text(text) => {
                to.write_all(&[109])?;
                to.write_all(&length(text.len())?)?;
                to.write_all(text.as_bytes())
            }
            Self::List(terms) => {
                if !terms.is_empty() {
                    to.write_all(&[108])?;
                    to.write_all(&length(terms.len())?)?;
                    terms.iter().try_for_each(|term| term.write_part(to))?;
                }
                to.write_all(&[106])
            }
            Self::Tuple(terms) => {
                to.write_all(&[104, u8::try_from(terms.len()).map_err(io::Error::other)?])?;
                terms.iter().try_for_each(|term| term.write_part(to))
            }
        }
    }
}

fn length(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length)
        .map(u32::to_be_bytes)
        .map_err(io::Error::other)
}
