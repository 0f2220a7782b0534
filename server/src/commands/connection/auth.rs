//! `AUTH`

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// The one user that there is.
pub(super) const USER: &[u8] = b"default";

/// `AUTH [username] password`: `OK` if the password is right, and the client may use all commands. Without a password in
/// the configuration, the form with a user takes any. O(length of the password).
pub(super) fn auth(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match call.len() {
        2 if context.config.requirepass.is_empty() => {
            return Err(Error::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        2 => authenticate(context, USER, call.argument(1))?,
        3 => authenticate(context, call.argument(1), call.argument(2))?,
        _ => return Err(Error::SYNTAX),
    }
    reply.ok();
    Ok(())
}

/// The client may use all commands, if the password is right.
pub(super) fn authenticate(context: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let expected = &context.config.requirepass;
    if user != USER || !(expected.is_empty() || is_same(expected, password)) {
        return Err(Error::new("WRONGPASS invalid username-password pair or user is disabled."));
    }
    context.session.authenticated = true;
    Ok(())
}

/// Whether both are equal; how long that takes says nothing of where they differ.
fn is_same(expected: &[u8], given: &[u8]) -> bool {
    expected.len() == given.len()
        && expected.iter().zip(given).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn passwords_are_compared_as_a_whole() {
        assert!(is_same(b"abc\0def", b"abc\0def"));
        assert!(!is_same(b"abc\0def", b"abc\0deg"));
        assert!(!is_same(b"abc\0def", b"abc"));
        assert!(!is_same(b"abc", b"abcd"));
    }
}
