//! Logging in: the token that goes with each call where etcd's authentication is on.

use hyper::http::uri::PathAndQuery;
use parking_lot::Mutex;
use tonic::{
    Request,
    metadata::{Ascii, MetadataMap, MetadataValue},
};
use tonic_prost::ProstCodec;

use super::{
    EtcdError,
    connection::Connection,
    failure::{Asked, Failure, Kind, NOBODY},
    options::EtcdUser,
    password::Password,
    proto::{AuthenticateRequest, AuthenticateResponse},
};

/// Who we are, and the token for it.
#[derive(Debug)]
pub(super) struct Auth {
    user: Option<User>,
    /// Whether a client certificate says who we are.
    has_certificate: bool,
    held: Mutex<Held>,
    /// One logs in for all who wait: checking a password costs etcd a tenth of a second.
    renewing: tokio::sync::Mutex<()>,
}

/// Who to log in as.
#[derive(Debug)]
struct User {
    name: String,
    password: Password,
}

/// A token with its number.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// Counts how often we have logged in; zero for never.
    number: u64,
    token: Option<MetadataValue<Ascii>>,
}

// === impl Auth ===

impl Auth {
    pub(super) fn new(user: Option<EtcdUser>, has_certificate: bool) -> Self {
        let renewing = tokio::sync::Mutex::new(());
        let user = user.map(|user| User { password: Password::of(&user), name: user.name });
        Self { user, has_certificate, held: Mutex::default(), renewing }
    }

    /// Whether there is somebody to log in as.
    pub(super) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// For messages: who we are to etcd.
    pub(super) fn who(&self) -> String {
        match &self.user {
            Some(user) => format!("user `{}`", user.name),
            None if self.has_certificate => "the user (CN) of our certificate".to_owned(),
            None => NOBODY.to_owned(),
        }
    }

    /// The token to send along; logs in if that was never done.
    ///
    /// # Errors
    /// When etcd does not answer, or refuses.
    pub(super) async fn token(&self, on: &Connection, endpoint: &str) -> Result<Held, Failure> {
        let held = self.held.lock().clone();
        if self.user.is_none() || held.number > 0 {
            return Ok(held);
        }
        self.renew(&held, on, endpoint).await
    }

    /// Whether a call that was refused may be let in with another token. Of who has a client
    /// certificate and sends no token etcd takes the certificate's name for the user, and says that
    /// this one may not: so when authentication was off at our login, and is on since.
    pub(super) fn may_do_better(&self, held: &Held, refused: &Failure) -> bool {
        let is_nobody = self.user.is_some() && held.token.is_none();
        match refused.kind {
            Kind::Token(_) => true,
            Kind::Final(EtcdError::Denied { .. }) => is_nobody,
            _ => false,
        }
    }

    /// Another token than this one, which was refused.
    ///
    /// # Errors
    /// When there is nobody to log in as, etcd does not answer, or refuses.
    pub(super) async fn renew(
        &self,
        refused: &Held,
        on: &Connection,
        endpoint: &str,
    ) -> Result<Held, Failure> {
        let Some(user) = &self.user else {
            return Err(Failure::certain(EtcdError::no_user(endpoint.to_owned())));
        };
        let _turn = self.renewing.lock().await;
        let held = self.held.lock().clone();
        if held.number != refused.number {
            return Ok(held);
        }
        let token = self.log_in(user, on, endpoint).await?;
        let held = Held { number: held.number + 1, token };
        *self.held.lock() = held.clone();
        Ok(held)
    }

    async fn log_in(
        &self,
        user: &User,
        on: &Connection,
        endpoint: &str,
    ) -> Result<Option<MetadataValue<Ascii>>, Failure> {
        let (name, password) = (user.name.clone(), user.password.now().await);
        let request = AuthenticateRequest { name, password };
        let codec = ProstCodec::<AuthenticateRequest, AuthenticateResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Auth/Authenticate");
        match on.grpc().unary(Request::new(request), path, codec).await {
            Ok(reply) => match MetadataValue::try_from(reply.into_inner().token) {
                Ok(mut token) => {
                    token.set_sensitive(true);
                    Ok(Some(token))
                }
                Err(_) => Err(Failure::unsent("it gave a token that is none")),
            },
            Err(status) if status.message().contains("authentication is not enabled") => {
                let user = &user.name;
                tracing::warn!(endpoint, user, "etcd's authentication is off: anybody may write");
                Ok(None)
            }
            Err(status) => {
                let asked = Asked { what: "log in".to_owned(), ..Asked::default() };
                let failure = Failure::of(&status, endpoint, &self.who(), &asked);
                Err(Failure { may_be_done: false, ..on.end.explain(failure) })
            }
        }
    }
}

// === impl Held ===

impl Held {
    /// Sends the token along with a call, if there is one.
    pub(super) fn go_along(&self, metadata: &mut MetadataMap) {
        if let Some(token) = &self.token {
            metadata.insert("token", token.clone());
        }
    }
}
