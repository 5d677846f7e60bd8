import { fetchJob, fetchRuns } from "./api.ts";
import { Dashboard, type Places } from "./dashboard.ts";
import { h } from "./dom.ts";

const RETRY_MILLISECONDS = 2000;

const place = (id: keyof Places): HTMLElement => document.getElementById(id) as HTMLElement;

async function start(places: Places): Promise<void> {
  try {
    const [job, runs] = await Promise.all([fetchJob(), fetchRuns()]);
    new Dashboard(job, runs, places);
  } catch (error) {
    places.main.replaceChildren(
      h("p", { class: "notice", role: "status" }, `${(error as Error).message} Trying again…`),
    );
    setTimeout(() => void start(places), RETRY_MILLISECONDS);
  }
}

void start({ header: place("header"), ends: place("ends"), banner: place("banner"), main: place("main") });
