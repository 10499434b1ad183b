//! Those who wait: clients of Consul's interface, each with a blocking query on a connection of its
//! own, and a change of one service at a time, after which some of them are answered.
//!
//! One program does both, so that one clock tells how long it took. Whoever is answered asks again
//! with the index that it got, as clients do.

use std::{
    fmt,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    str::FromStr,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};

use crate::{data::Data, http::Http, part::Env, process::pinned};

/// Clients that connect at once: fewer than a listener's queue holds.
const CONNECTING_MAX: usize = 256;

/// When nobody was answered for so long, nobody will be.
const QUIET: Duration = Duration::from_millis(500);

/// How long it may take until all wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Those who wait.
#[derive(Debug, Parser)]
pub(crate) struct Waiting {
    /// The HTTP interface.
    #[arg(long)]
    server: SocketAddr,
    /// Services, for each of which as many wait.
    #[arg(long)]
    services: u32,
    /// How many wait.
    #[arg(long)]
    clients: u32,
}

/// What a change has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Clients of the service that were answered.
    pub(crate) own: u64,
    /// Clients of other services that were answered.
    pub(crate) others: u64,
    /// From the change's sending to its own acknowledgement.
    pub(crate) acknowledged: Duration,
    /// From the change's sending to the first answer.
    pub(crate) first: Duration,
    /// And to the last one.
    pub(crate) last: Duration,
}

/// Those who wait, at work.
#[derive(Debug)]
pub(crate) struct WaitingNow {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

/// What happened to a client.
enum Happened {
    /// It waits for the first time.
    Waits,
    /// It was answered.
    Answered { service: u32, at: Instant },
}

/// One client.
struct Client {
    server: SocketAddr,
    service: u32,
    happened: Sender<Happened>,
    connecting: Arc<Semaphore>,
}

// === impl Waiting ===

impl Waiting {
    /// Waits, and carries out a change for each number of a service that it is given a line with.
    ///
    /// # Errors
    /// When a client is not answered as it should, or a change is refused.
    pub(crate) fn run(self) -> Result<()> {
        rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")?;
        let (sender, happened) = mpsc::channel();
        let (server, services, clients) = (self.server, self.services, self.clients);
        thread::spawn(move || wait(server, services, clients, &sender));
        for _ in 0..clients {
            let next = happened.recv_timeout(PATIENCE).context("not all are waiting")?;
            ensure!(matches!(next, Happened::Waits), "somebody did not have to wait");
        }
        println!("waiting");
        for (number, line) in std::io::stdin().lines().enumerate() {
            let service = line?.parse().context("a service's number")?;
            // A new one each time: a server closes what nothing has come on for a while.
            let mut http = Http::to(server)?;
            println!("{}", change(&mut http, service, number, &happened)?);
        }
        Ok(())
    }
}

/// Has all clients wait for ever, on a runtime of this thread's own.
fn wait(server: SocketAddr, services: u32, clients: u32, happened: &Sender<Happened>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let connecting = Arc::new(Semaphore::new(CONNECTING_MAX));
    runtime.expect("there is a runtime").block_on(async {
        let mut all = Vec::new();
        for number in 0..clients {
            let (happened, connecting) = (happened.clone(), Arc::clone(&connecting));
            let client = Client { server, service: number % services, happened, connecting };
            all.push(tokio::spawn(client.run()));
        }
        for client in all {
            if let Ok(Err(error)) = client.await {
                eprintln!("a client that waits: {error:#}");
            }
        }
    });
}

/// Changes an instance of a service, and sees who is answered.
fn change(
    http: &mut Http,
    service: u32,
    number: usize,
    happened: &Receiver<Happened>,
) -> Result<Woken> {
    let path = format!("/api/v1/services/{}/instances/new", Data::service(service));
    let body = format!(r#"{{"addresses": ["10.9.9.9"], "port": {}}}"#, 1_000 + number % 1_000);
    let sent = Instant::now();
    let status = http.send("PUT", &path, &body)?;
    ensure!(status < 300, "PUT {path} is refused with {status}: {}", http.body());
    let acknowledged = sent.elapsed();
    let mut woken =
        Woken { own: 0, others: 0, acknowledged, first: Duration::MAX, last: Duration::ZERO };
    loop {
        match happened.recv_timeout(QUIET) {
            Ok(Happened::Answered { service: of, at }) => {
                let after = at.saturating_duration_since(sent);
                woken.first = woken.first.min(after);
                woken.last = woken.last.max(after);
                *(if of == service { &mut woken.own } else { &mut woken.others }) += 1;
            }
            Ok(Happened::Waits) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(woken),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("nobody waits any more"),
        }
    }
}

// === impl Client ===

impl Client {
    async fn run(self) -> Result<()> {
        let permit = self.connecting.acquire().await?;
        let mut stream = TcpStream::connect(self.server).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let path = format!("/v1/health/service/{}", Data::service(self.service));
        let mut index = ask(&mut stream, &path).await?;
        drop(permit);
        self.happened.send(Happened::Waits)?;
        loop {
            index = ask(&mut stream, &format!("{path}?index={index}&wait=10m")).await?;
            let at = Instant::now();
            self.happened.send(Happened::Answered { service: self.service, at })?;
        }
    }
}

/// Asks, takes the whole reply, and returns its index.
async fn ask(stream: &mut TcpStream, path: &str) -> Result<u64> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Vec::new();
    loop {
        stream.readable().await?;
        // Here and not before, so that no client holds it while it waits.
        let mut buffer = [0; 8_192];
        let octets = match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            read => read?,
        };
        ensure!(octets > 0, "the server has closed the connection");
        reply.extend_from_slice(&buffer[..octets]);
        let Some(end) = reply.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&reply[..end])?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        let field = |name: &str| -> Option<u64> {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(field, _)| field.eq_ignore_ascii_case(name))?.1.trim().parse().ok()
        };
        let length = usize::try_from(field("content-length").context("a length")?)?;
        if reply.len() >= end + 4 + length {
            return field("x-consul-index").context("an index");
        }
    }
}

// === impl WaitingNow ===

impl WaitingNow {
    /// Has so many `clients` wait for `services` at `server`, and waits until they do.
    ///
    /// # Errors
    /// When they cannot.
    pub(crate) fn start(
        env: &Env,
        server: SocketAddr,
        services: u32,
        clients: u32,
    ) -> Result<Self> {
        let mut command = Command::new(&env.bench);
        command.args(["waiting", "--server", &server.to_string()]);
        command.args(["--services", &services.to_string(), "--clients", &clients.to_string()]);
        let mut command = pinned(&command, env.cores.load);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take().context("its input")?;
        let told = BufReader::new(child.stdout.take().context("its output")?);
        let mut waiting = Self { child, orders, told };
        ensure!(waiting.line()? == "waiting", "those who wait do something else");
        Ok(waiting)
    }

    /// Changes a service, and says who was answered.
    ///
    /// # Errors
    /// When they have failed.
    pub(crate) fn change(&mut self, service: u32) -> Result<Woken> {
        writeln!(self.orders, "{service}")?;
        self.line()?.parse()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        ensure!(!line.is_empty(), "those who wait have failed");
        Ok(line.trim().to_owned())
    }
}

impl Drop for WaitingNow {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

// === impl Woken ===

impl fmt::Display for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, others, acknowledged, first, last } = self;
        let [acknowledged, last] = [acknowledged, last].map(Duration::as_nanos);
        // Nobody was the first if nobody was answered.
        let first = if own + others == 0 { 0 } else { first.as_nanos() };
        write!(f, "{own} {others} {acknowledged} {first} {last}")
    }
}

impl FromStr for Woken {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [own, others, acknowledged, first, last] = numbers?[..] else {
            anyhow::bail!("five numbers, not `{line}`");
        };
        let [acknowledged, first, last] = [acknowledged, first, last].map(Duration::from_nanos);
        Ok(Self { own, others, acknowledged, first, last })
    }
}
