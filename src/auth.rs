//! Authenticates credentials, in the same way for Socket.IO, plain WebSocket and the HTTP API.

mod access;
mod api_keys;
mod jwt;

use std::sync::{
    Arc, Once,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use uuid::Uuid;

pub use access::Access;
pub use api_keys::{Key, Keys, is_key, new_key};
pub use jwt::{Issue, issue};
pub(crate) use jwt::{LEEWAY, Verifier};

use crate::{
    config::{AuthMode, Config, ConfigError, Secret},
    error::{Error, Result},
    model::{Timestamp, User, UserId},
};

/// Prefix of guests' ids.
const GUEST: &str = "guest-";

/// Ids and names that front-ends send when they have none; their clients are guests.
const NOBODY: [&str; 2] = ["undefined", "null"];

/// The credentials of a client, not checked yet.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// A JWT.
    pub token: Option<Secret>,
    /// Open mode: the user's id, taken as given.
    pub user_id: Option<String>,
    /// Open mode: the user's name.
    pub name: Option<String>,
}

/// An authenticated user, and what they may do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The user.
    pub user: User,
    /// Whether this is a guest: a new user for each connection, not announced, without stored memberships.
    pub is_guest: bool,
    /// The rooms that the user may enter.
    pub(crate) access: Access,
    /// When the token expires (`exp`). `None` for one without a token.
    pub expires_at: Option<Timestamp>,
}

impl Identity {
    /// The identity of a backend that acts as this user; it may do everything.
    pub(crate) fn trusted(user: User) -> Self {
        Self { user, is_guest: false, access: Access::to_everything(), expires_at: None }
    }

    /// Whether the token has expired and the leeway has passed since: events are refused then.
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end.as_millis() + LEEWAY.as_millis() as u64 <= Timestamp::now().as_millis())
    }
}

impl Credentials {
    /// From a token, with or without the scheme `Bearer`.
    pub fn with_token(token: &str) -> Self {
        Self { token: bearer_token(token), ..Self::default() }
    }
}

/// The token without the scheme `Bearer`; `None` where nothing is left.
pub fn bearer_token(text: &str) -> Option<Secret> {
    Some(jwt::without_scheme(text)).filter(|token| !token.is_empty()).map(Secret::new)
}

/// Authenticates credentials.
pub struct Auth {
    mode: Mode,
    access: Access,
    guests: AtomicU64,
    /// Whether a client with one of [`NOBODY`] has been logged.
    nobody: Once,
}

enum Mode {
    Open,
    /// Keys and rules of tokens; they may change while the server runs.
    Jwt(ArcSwap<Verifier>),
}

impl Auth {
    /// Reads the key files, if any are named.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let (mode, access) = match config.auth.mode {
            AuthMode::Open => (Mode::Open, Access::to_everything()),
            AuthMode::Jwt => {
                let access = Access::new(&config.rooms.lobby, &config.rooms.open);
                (Mode::Jwt(ArcSwap::from_pointee(Verifier::new(&config.auth)?)), access)
            }
        };
        Ok(Self { mode, access, guests: AtomicU64::new(0), nobody: Once::new() })
    }

    /// Reads the keys and rules of tokens, for [`Auth::replace`]. `None` in open mode.
    pub(crate) fn read(&self, config: &Config) -> Result<Option<Verifier>, ConfigError> {
        match self.mode {
            Mode::Open => Ok(None),
            Mode::Jwt(_) => Verifier::new(&config.auth).map(Some),
        }
    }

    /// Replaces the keys and rules. Returns the settings whose key files have changed.
    pub(crate) fn replace(&self, new: Option<Verifier>) -> Vec<String> {
        let (Mode::Jwt(verifier), Some(new)) = (&self.mode, new) else { return Vec::new() };
        let new = Arc::new(new);
        let old = verifier.swap(new.clone());
        new.changed_files(&old)
    }

    /// Authenticates a client. Errors: `unauthorized` for an invalid or missing token and for the id of the system,
    /// `token-expired`, and `bad-payload` for an invalid id or name.
    pub fn authenticate(&self, credentials: &Credentials) -> Result<Identity> {
        let identity = self.identify(credentials)?;
        if identity.user.id.is_system() {
            return Err(Error::Unauthorized(format!("the id {} is the server's own", identity.user.id)));
        }
        Ok(identity)
    }

    fn identify(&self, credentials: &Credentials) -> Result<Identity> {
        match &self.mode {
            Mode::Open => self.take_their_word(credentials),
            Mode::Jwt(verifier) => {
                let missing = || Error::Unauthorized("a token is needed".to_owned());
                let token = credentials.token.as_ref().and_then(|token| bearer_token(token.expose()));
                let claims = verifier.load().verify(token.ok_or_else(missing)?.expose())?;
                Ok(Identity {
                    user: claims.user,
                    is_guest: false,
                    access: self.access.and(&claims.rooms),
                    expires_at: Some(claims.expires_at),
                })
            }
        }
    }

    fn take_their_word(&self, credentials: &Credentials) -> Result<Identity> {
        let is_somebody = |text: &&str| !NOBODY.contains(text);
        let given_name = credentials.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let given_id = credentials.user_id.as_deref().filter(|id| !id.is_empty());
        let (name, id) = (given_name.filter(is_somebody), given_id.filter(is_somebody));
        if (name, id) != (given_name, given_id) {
            self.nobody.call_once(|| {
                tracing::warn!("a client says that its userId or name is undefined or null: such clients are guests");
            });
        }
        if id.is_none() && given_id.is_some() {
            let guest = self.guest();
            let named = name.and_then(|name| User::new(guest.user.id.clone(), name).ok());
            return Ok(Identity { user: named.unwrap_or(guest.user), ..guest });
        }
        let user = match (id, name) {
            (Some(id), name) => UserId::parse(id).and_then(|user_id| User::new(user_id, name.unwrap_or(id))),
            (None, Some(name)) => UserId::from_name(name).and_then(|id| User::new(id, name)),
            (None, None) => return Ok(self.guest()),
        };
        let user = user.map_err(Error::BadPayload)?;
        let is_guest = self.is_guest(&user.id);
        Ok(Identity { user, is_guest, access: self.access.clone(), expires_at: None })
    }

    /// Refuses `undefined` and `null` as the recipient in a field: front-ends send them where they know no id. In open
    /// mode only, since in jwt mode a backend chooses the ids.
    pub(crate) fn check_receiver(&self, field: &str, user: &UserId) -> Result<()> {
        if matches!(self.mode, Mode::Open) && NOBODY.contains(&user.as_str()) {
            return Err(Error::BadPayload(format!("{field}: nobody can be the user {user:?}", user = user.as_str())));
        }
        Ok(())
    }

    /// Whether this is a guest's id: in open mode, one that begins with `guest-`.
    pub fn is_guest(&self, user: &UserId) -> bool {
        matches!(self.mode, Mode::Open) && user.as_str().starts_with(GUEST)
    }

    /// Whether memberships of this user are stored; those of guests and the system are not.
    pub fn has_memberships(&self, user: &UserId) -> bool {
        !user.is_system() && !self.is_guest(user)
    }

    /// A new token for the same user.
    pub fn refresh(&self, who: &Identity, token: &str) -> Result<Identity> {
        if matches!(self.mode, Mode::Open) {
            return Err(Error::BadPayload("there are no tokens in open mode".to_owned()));
        }
        let new = self.authenticate(&Credentials::with_token(token))?;
        if new.user.id != who.user.id {
            return Err(Error::Forbidden("the token is another user's".to_owned()));
        }
        Ok(new)
    }

    fn guest(&self) -> Identity {
        let number = self.guests.fetch_add(1, Ordering::Relaxed) + 1;
        let id = UserId::parse(&format!("{GUEST}{}", Uuid::new_v4().simple())).expect("letters and digits");
        let user = User { id, name: Arc::from(format!("Guest {number}")) };
        Identity { user, is_guest: true, access: self.access.clone(), expires_at: None }
    }
}
