//! Boots the seed lab under a directory and prints how it went; `boot DIR down` ends the labs there.
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let root = std::path::PathBuf::from(&args[0]);
    if args.get(1).map(String::as_str) == Some("down") {
        for (dir, _) in lab::netns::list(&root).unwrap() {
            println!("{} {:?}", dir.display(), lab::netns::down(&dir));
        }
        return;
    }
    if args.get(1).map(String::as_str) == Some("scenario") {
        let lab = lab::netns::LabInstance::load(&root).unwrap();
        let p = args[4..].iter().filter_map(|a| a.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let s = lab::scenario::Scenario::parse(&args[3], &p).unwrap();
        let r = if args[2] == "apply" { s.apply(&lab) } else { s.restore(&lab) };
        println!("{:?}", r.map_err(|e| lab::chain(&e)));
        return;
    }
    let mut o = lab::netns::Options::under(&root).unwrap();
    o.faces = args.iter().any(|a| a == "faces");
    o.traffic = args.iter().any(|a| a == "traffic");
    match lab::netns::up(&o, &mut |p| println!("{:8.2} s  {}", p.after.as_secs_f64(), p.what)) {
        Ok(l) => {
            let s = lab::netns::status(&l.dir).unwrap();
            println!("up: {} {} processes, {} MB, dead {:?}", l.dir.display(), l.processes.len(), s.memory_bytes >> 20, s.dead);
        }
        Err(e) => println!("FAILED {}", lab::chain(&e)),
    }
}
