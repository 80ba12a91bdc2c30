import type Docker from 'dockerode';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import { fail } from '../../core/errors.ts';
import { faultText, type ImageConfig, imageFaults } from '../../core/image-rules.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

/**
 * How the engine calls the catalogue's images. An image is its configuration's digest; with the containerd image store, which
 * newer engines begin with, the engine calls it by its manifest's digest, and knows no other. Both are in the signed
 * catalogue, and either pins the whole content.
 */
export function imageNames(docker: Docker, answerMs: number) {
  const manifests = new Map<string, string>();
  const names = new Map<string, string>();

  async function look(name: string): Promise<boolean> {
    try {
      const { Id, Config } = await within(answerMs, docker.getImage(name).inspect());
      if (Id !== name) return false;
      const faults = imageFaults(Config as ImageConfig);
      return faults.length === 0 || fail('REFUSED', faults.map(faultText).join('; '));
    } catch (error) {
      return statusOf(error) === 404 ? false : engineFailure(error);
    }
  }

  return {
    know(images: readonly Pick<CatalogueEntry, 'image' | 'pull'>[]): void {
      for (const { image, pull } of images) if (pull !== null) manifests.set(image, pull.digest);
    },
    /** As the engine knew it when it was asked last. */
    of: (image: string): string => names.get(image) ?? image,
    async held(image: string): Promise<boolean> {
      for (const name of new Set([image, manifests.get(image) ?? image])) {
        if (!(await look(name))) continue;
        names.set(image, name);
        return true;
      }
      names.delete(image);
      return false;
    },
  };
}
