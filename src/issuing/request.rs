//! What a client sends: a form, and its credentials in one place (RFC 6749 sections 2.3.1 and 3.2).
//!
//! Two readers of the same request must not see two different clients, so a parameter that is there twice is refused, and
//! so are credentials in two places.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// The longest client id, user name or secret. Whatever is longer is nobody's.
const CREDENTIAL_BYTES_MAX: usize = 1024;
/// So many parameters are looked at.
const PARAMETERS_MAX: usize = 64;

/// Parameters, each once. One without a value counts as absent (RFC 6749 section 3.2).
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

/// Who a client says that it is, and how it wants to prove it.
pub struct Credentials {
    /// The client id, or a user's name.
    pub id: String,
    /// The secret, or the password.
    pub secret: String,
}

/// The one field `Authorization` of a request.
pub enum Authorization {
    /// `Basic` (RFC 7617), as it is written: for users.
    Basic(Credentials),
    /// `Bearer` (RFC 6750).
    Bearer(String),
}

// === impl Form ===

impl Form {
    /// Reads `application/x-www-form-urlencoded`, or a query.
    ///
    /// # Errors
    /// When a parameter is there twice, or there is something that is no text.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            // What was no UTF-8 has become this.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Refusal::InvalidRequest("a parameter is no text"));
            }
            if parameters.iter().any(|(own, _)| *own == name) {
                return Err(Refusal::InvalidRequest("a parameter is there twice"));
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(Refusal::InvalidRequest("there are too many parameters"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// A parameter that has a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        let (_, value) = parameters.find(|(own, value)| own == name && !value.is_empty())?;
        Some(value)
    }

    /// The client's credentials: from `Authorization`, or from here, never from both. Those of `Authorization` can be
    /// read in two ways: RFC 6749 section 2.3.1 has a client encode both parts as in a form, and half of all clients do not.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] if they are in two places, [`Refusal::InvalidClient`] if there are none.
    pub fn client(
        &self,
        authorization: Option<Authorization>,
    ) -> Result<(Credentials, Option<Credentials>), Refusal> {
        let (id, secret) = (self.get("client_id"), self.get("client_secret"));
        if self.get("client_assertion").is_some() || self.get("client_assertion_type").is_some() {
            return Err(Refusal::InvalidRequest(
                "clients show a secret here, by Basic or in the form; no assertion",
            ));
        }
        match (authorization, id, secret) {
            (Some(Authorization::Basic(_)), _, Some(_)) => Err(Refusal::InvalidRequest(
                "the client's credentials are in two places",
            )),
            (Some(Authorization::Basic(basic)), id, None) => {
                let shown = basic.readings();
                // RFC 6749 section 3.2.1 lets a client repeat its id; it must be the same.
                let is_another = |id: &str| {
                    let second = shown.1.as_ref();
                    id != shown.0.id && second.is_none_or(|second| id != second.id)
                };
                match id {
                    Some(id) if is_another(id) => Err(Refusal::InvalidRequest(
                        "client_id is another one than that in Authorization",
                    )),
                    Some(_) | None => Ok(shown),
                }
            }
            (Some(Authorization::Bearer(_)), ..) => Err(Refusal::InvalidRequest(
                "clients show a secret here, by Basic or in the form; no token",
            )),
            (None, Some(id), Some(secret)) => {
                let shown = Credentials::new(id, secret).ok_or(Refusal::InvalidClient)?;
                Ok((shown, None))
            }
            (None, ..) => Err(Refusal::InvalidClient),
        }
    }
}

// === impl Credentials ===

impl Credentials {
    fn new(id: &str, secret: &str) -> Option<Self> {
        let good = |text: &str| (1..=CREDENTIAL_BYTES_MAX).contains(&text.len());
        (good(id) && good(secret)).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// RFC 6749 section 2.3.1: a client encodes both as in a form before it puts them together.
    fn form_decoded(&self) -> Option<Self> {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            let text = percent_decode_str(&text).decode_utf8().ok()?;
            Some(text.into_owned())
        };
        Self::new(&decode(&self.id)?, &decode(&self.secret)?)
    }

    /// As a client's, in `Authorization`: decoded, and as they are if that is something else.
    fn readings(self) -> (Self, Option<Self>) {
        match self.form_decoded() {
            None => (self, None),
            Some(decoded) if decoded.id == self.id && decoded.secret == self.secret => (self, None),
            Some(decoded) => (decoded, Some(self)),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

// === impl Authorization ===

impl Authorization {
    /// Reads the value of a field.
    ///
    /// # Errors
    /// [`Refusal::InvalidClient`] for other schemes and for what is malformed: whatever it is, it proves nothing.
    pub fn parse(value: &str) -> Result<Self, Refusal> {
        let wrong = Refusal::InvalidClient;
        let (scheme, rest) = value.split_once(' ').ok_or(wrong)?;
        if scheme.eq_ignore_ascii_case("Bearer") {
            let is_one_word = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
            return is_one_word.then(|| Self::Bearer(rest.to_owned())).ok_or(wrong);
        }
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Err(wrong);
        }
        let text = STANDARD.decode(rest).map_err(|_| wrong)?;
        let text = String::from_utf8(text).map_err(|_| wrong)?;
        let (id, secret) = text.split_once(':').ok_or(wrong)?;
        Credentials::new(id, secret).map(Self::Basic).ok_or(wrong)
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}
