use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let scenario = case::scale::Scenario::read(&std::fs::read_to_string(&args[1]).unwrap()).unwrap();
    println!("{:?}", scenario.size());
    for distinct in [false, true] {
        let blueprint = scenario.blueprint(args[2].parse().unwrap(), distinct);
        let t = Instant::now();
        let fabric = routing::Plane::new(&blueprint, bgp::Family::Ipv4Unicast);
        let a = t.elapsed();
        println!("absent {:?}", fabric.absent.len());
        let t = Instant::now();
        let s = fabric.solve_all(routing::Schedule::First);
        println!(
            "distinct {distinct}: plane {a:?} solve {:?} classes {} messages {} shared {} MB",
            t.elapsed(),
            s.classes.len(),
            fabric.messages(&s),
            s.shared.bytes() >> 20
        );
    }
}
