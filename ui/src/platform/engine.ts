// The only door to the host: everything else in the window asks here.
import { invoke, isTauri } from "@tauri-apps/api/core";
import type { ApiError } from "../bindings/ApiError";
import type { StatusView } from "../bindings/StatusView";

export type Answer = { kind: "running"; status: StatusView } | { kind: "absent"; error: ApiError };

/** Asks the engine how it is. Never throws: that there is no engine is an answer. */
export async function engineStatus(): Promise<Answer> {
  if (!isTauri()) {
    return { kind: "absent", error: { code: "PH-DESK-011", why: "this page runs outside of the application" } };
  }
  try {
    return { kind: "running", status: await invoke<StatusView>("engine_status") };
  } catch (error) {
    return { kind: "absent", error: asApiError(error) };
  }
}

function asApiError(error: unknown): ApiError {
  if (typeof error === "object" && error !== null && "code" in error && "why" in error) {
    return { code: String(error.code), why: String(error.why) };
  }
  return { code: "PH-DESK-012", why: String(error) };
}
