import { sha256, type TestConsumer, type TestDevice } from './device.ts';

/** One job that `device` does, up to its verdict, and what a report is to say of it. The output is the input. */
export async function earn(consumer: TestConsumer, device: TestDevice, text: string) {
  const bytes = new TextEncoder().encode(text);
  const from = device.messages.length;
  device.send({ type: 'ready', lane: 'cpu', slots: 1 });
  const job = await consumer.submit('echo', bytes);
  const lease = await device.nextLease(from);
  await device.finish(lease, bytes);
  await device.told('verdict', ({ verdict }) => verdict.leaseId === lease.leaseId, from);
  return { job, item: { leaseId: lease.leaseId, outputHash: sha256(bytes), amount: lease.price } };
}
