import { egressDeeds } from './egress-stage.ts';

/** An agent's side of a job with a gateway, in a process of its own, to be killed. Says its device, then runs until then. */
const { deeds, job } = await egressDeeds((same) => same);
process.stdout.write(`${deeds.device}\n`);
await deeds.run(job('return new Promise(() => setInterval(() => undefined, 1000))', 1000));
