import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { ACCOUNT_LISTS, faultText, listFault } from '../../core/image-rules.ts';
import { objectIn } from '../frames.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

/** The part of the archive stat that matters here (Engine API, "Get information about files in a container"). */
const fileStat = z.object({ mode: z.number().int().nonnegative(), size: z.number().nonnegative() });

/**
 * Looks, before a start, at what the engine will read of an image by itself. The engine only tells what lies there, without opening
 * it. Throws REFUSED for an image that would hold the engine up; what is content-addressed needs one look.
 */
export function dockerLists(answerMs: number) {
  const plain = new Set<string>();

  async function look(container: Docker.Container, path: string): Promise<void> {
    const asked = container.infoArchive({ path });
    const answer: IncomingMessage = Object(await within(answerMs, asked));
    // Empty, and yet unread it would keep its connection open for as long as this process lives.
    answer.resume();
    const header = answer.headers['x-docker-container-path-stat'];
    const stat = Buffer.from(typeof header === 'string' ? header : '', 'base64').toString('utf8');
    const told = fileStat.safeParse(objectIn(stat));
    if (!told.success) return fail('REFUSED', `the engine does not tell what lies at ${path}`);
    const fault = listFault(path, told.data);
    if (fault !== null) fail('REFUSED', faultText(fault));
  }

  return async (container: Docker.Container, image: string): Promise<void> => {
    if (plain.has(image)) return;
    for (const path of ACCOUNT_LISTS) {
      await look(container, path).catch((error: unknown) => {
        // Without a list the engine takes the numbers as they are.
        if (statusOf(error) !== 404) engineFailure(error);
      });
    }
    plain.add(image);
  };
}
