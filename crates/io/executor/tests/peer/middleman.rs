//! A NETCONF server that passes everything on to a real one, except for one message that goes wrong.

use crate::raw::Raw;
use netconf::{BASE_10, BASE_11, CANDIDATE, CONFIRMED_COMMIT, Capabilities, Decoder, Framing, Hello};
use network::NetconfEndpoint;
use russh::keys::{HashAlg, load_secret_key};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; the next fault of the list waits for this message.
    Pass,
    /// The server hangs up; the real one never saw the message.
    HangUpBefore,
    /// The real server carries it out, then the connection ends without an answer.
    HangUpAfter,
    /// The real server never sees it; the client is told ok.
    OkWithoutDoing,
    /// Neither passed on nor answered; the connection stands.
    Silence,
    /// Carried out; the answer carries another message id.
    OtherId,
    /// Carried out; the answer is framed wrongly.
    WrongFraming,
    /// Carried out; the answer says that it failed.
    SayError,
    /// Not passed on; the answer is this.
    Answer(&'static str),
}

/// Faults to come, each with a text that its message contains.
type Faults = Arc<Mutex<VecDeque<(&'static str, Fault)>>>;

#[derive(Clone)]
struct Passage {
    real: NetconfEndpoint,
    password: String,
    faults: Faults,
    capabilities: Capabilities,
    channel: Arc<Mutex<Option<Channel<Msg>>>>,
}

pub struct Middleman {
    pub endpoint: NetconfEndpoint,
    faults: Faults,
}

impl Middleman {
    pub async fn start(real: &NetconfEndpoint, password: &str, host_key: &Path, with: &[&str]) -> Self {
        let key = load_secret_key(host_key, None).unwrap();
        let host_key = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let none = Duration::ZERO;
        let config = server::Config { keys: vec![key], auth_rejection_time: none, ..server::Config::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = NetconfEndpoint { address: listener.local_addr().unwrap().to_string(), host_key, ..real.clone() };
        let faults = Faults::default();
        let capabilities = Capabilities([BASE_10, BASE_11].iter().chain(with).map(|c| (*c).to_owned()).collect());
        let passage =
            Passage { real: real.clone(), password: password.to_owned(), faults: faults.clone(), capabilities, channel: Arc::default() };
        tokio::spawn(serve(listener, Arc::new(config), passage));
        Self { endpoint, faults }
    }

    pub async fn full(real: &NetconfEndpoint, password: &str, host_key: &Path) -> Self {
        Self::start(real, password, host_key, &[CANDIDATE, CONFIRMED_COMMIT]).await
    }

    /// The next message that contains `text` goes wrong.
    pub fn break_next(&self, text: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push_back((text, fault));
    }

    /// Every fault has happened.
    pub fn broke(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }
}

async fn serve(listener: TcpListener, config: Arc<server::Config>, passage: Passage) {
    while let Ok((stream, _)) = listener.accept().await {
        let own = Passage { channel: Arc::default(), ..passage.clone() };
        let config = config.clone();
        tokio::spawn(async move {
            if let Ok(running) = server::run_stream(config, stream, own).await {
                let _ = running.await;
            }
        });
    }
}

impl server::Handler for Passage {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if password == self.password { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Result<(), russh::Error> {
        *self.channel.lock().unwrap() = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        let channel = self.channel.lock().unwrap().take().unwrap();
        tokio::spawn(self.clone().pass_on(channel, session.handle()));
        Ok(())
    }
}

impl Passage {
    async fn pass_on(self, mut channel: Channel<Msg>, handle: server::Handle) {
        let mut real = Raw::open(&self.real, &self.password).await;
        let hello = Hello { capabilities: self.capabilities.clone(), session_id: Some(real.session_id) };
        let _ = channel.data_bytes(Framing::EndOfMessage.frame(&hello.render())).await;
        let mut decoder = Decoder::default();
        let mut framing = None;
        while let Some(message) = channel.wait().await {
            let ChannelMsg::Data { data } = message else { continue };
            decoder.push(&data);
            while let Ok(Some(message)) = decoder.next_message() {
                let Some(framing) = framing else {
                    let theirs = Hello::parse(&message).unwrap().capabilities;
                    framing = self.capabilities.framing_with(&theirs);
                    decoder.set_framing(framing.unwrap());
                    continue;
                };
                let Some(bytes) = self.answer(&mut real, &message, framing).await else {
                    let _ = handle.disconnect(russh::Disconnect::ByApplication, String::new(), String::new()).await;
                    return;
                };
                let _ = channel.data_bytes(bytes).await;
            }
        }
    }

    /// `None`: hang up.
    async fn answer(&self, real: &mut Raw, message: &str, framing: Framing) -> Option<Vec<u8>> {
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            faults.pop_front_if(|(text, _)| message.contains(*text)).map(|(_, f)| f)
        };
        let id = netconf::Rpc::parse(message).unwrap().message_id;
        match fault {
            Some(Fault::HangUpBefore) => return None,
            Some(Fault::Silence) => return Some(Vec::new()),
            Some(Fault::OkWithoutDoing) => return Some(framing.frame(&netconf::reply::ok(&id))),
            Some(Fault::Answer(text)) => return Some(framing.frame(&text.replace("ID", &id))),
            _ => {}
        }
        real.send(message).await;
        let answer = real.receive().await?;
        match fault {
            Some(Fault::HangUpAfter) => None,
            Some(Fault::OtherId) => Some(framing.frame(&answer.replace(&format!("message-id=\"{id}\""), "message-id=\"4711\""))),
            Some(Fault::SayError) => {
                let error = netconf::RpcError { tag: "operation-failed".into(), ..Default::default() };
                Some(framing.frame(&netconf::reply::error(&id, &error)))
            }
            Some(Fault::WrongFraming) => Some(Framing::EndOfMessage.frame(&answer)),
            _ => Some(framing.frame(&answer)),
        }
    }
}
