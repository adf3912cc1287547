// Rows of measurements that are fetched piece by piece: every column keeps the length of the time axis.

import type { HealthView } from "../bindings/HealthView";

/** Rows kept: a quarter of an hour, as the engine keeps. */
export const ROWS_MAX = 900;

type Value = number | null;

/** Adds what came after the newest row. Names, states and limits are those of the newer answer. */
export function extend(old: HealthView, fresh: HealthView): HealthView {
  const last = old.at_ms.at(-1) ?? -Infinity;
  const first = fresh.at_ms.findIndex((t) => t > last);
  const added = first < 0 ? [] : fresh.at_ms.slice(first);
  const at_ms = [...old.at_ms, ...added].slice(-ROWS_MAX);
  // what is new in this answer has a gap before; what has gone from it is dropped
  const join = (before: Value[] | undefined, after: Value[]): Value[] => {
    const known = before ?? new Array<Value>(old.at_ms.length).fill(null);
    return [...known, ...(first < 0 ? [] : after.slice(first))].slice(-ROWS_MAX);
  };
  const paths = new Map(old.paths.map((p) => [p.name, p]));
  const exits = new Map(old.exits.map((e) => [e.exit, e]));
  const devices = new Map(old.devices.map((d) => [d.device, d]));
  return {
    at_ms,
    paths: fresh.paths.map((p) => ({ ...p, delay_ms: join(paths.get(p.name)?.delay_ms, p.delay_ms), loss: join(paths.get(p.name)?.loss, p.loss) })),
    exits: fresh.exits.map((e) => ({ ...e, out_bps: join(exits.get(e.exit)?.out_bps, e.out_bps), in_bps: join(exits.get(e.exit)?.in_bps, e.in_bps) })),
    devices: fresh.devices.map((d) => ({ ...d, health: join(devices.get(d.device)?.health, d.health) })),
  };
}
