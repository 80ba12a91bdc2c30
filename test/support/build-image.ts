import { baseImage, inspectImage, refusal, streamError } from '../../scripts/lib/base-image.mjs';
import { answeringEngine, callEngine } from '../../scripts/lib/engine.mjs';
import { tarFolder } from '../../scripts/lib/tar.mjs';

const BUILD_MS = 300_000;

/** Builds the image of a folder with a Dockerfile on the engine that answers; what is built already costs nothing. Answers its content id. */
export async function buildImage(folder: string, tag: string): Promise<string> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  await baseImage(place);
  // The host's network: a package mirror that the host reaches is reachable in the build too.
  const query = new URLSearchParams({ t: tag, forcerm: '1', version: '1', networkmode: 'host' });
  const call = { body: tarFolder(folder), timeoutMs: BUILD_MS };
  const { status, text } = await callEngine(place, 'POST', `/build?${query}`, call);
  const error = streamError(text) ?? (status === 200 ? undefined : refusal(text));
  const image = await inspectImage(place, tag);
  if (error !== undefined || image === undefined) throw new Error(`${tag} was not built: ${error ?? text}`);
  return image.Id;
}
