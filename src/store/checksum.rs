//! CRC-32C, which every row carries.
//!
//! redb's checksums cover pages, and only a repair reads them all; a row's own checksum says which
//! row is damaged, and the sum over all rows tells whether one is missing. Eight tables, eight
//! octets a step: a million rows of 300 octets are checked in a fraction of a second, and no
//! dependency is needed for forty lines.

/// The polynomial of RFC 9260 (SCTP) appendix A, reflected. Finds every burst of up to 32 bits.
const POLYNOMIAL: u32 = 0x82F6_3B78;

const TABLES: [[u32; 256]; 8] = tables();

/// The checksum of `parts`, one after the other.
pub(super) fn crc32c(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| update(crc, part))
}

fn update(mut crc: u32, octets: &[u8]) -> u32 {
    let (eights, rest) = octets.as_chunks::<8>();
    for eight in eights {
        let [a, b, c, d, e, f, g, h] = *eight;
        let [a, b, c, d] = (u32::from_le_bytes([a, b, c, d]) ^ crc).to_le_bytes();
        crc = entry(7, a)
            ^ entry(6, b)
            ^ entry(5, c)
            ^ entry(4, d)
            ^ entry(3, e)
            ^ entry(2, f)
            ^ entry(1, g)
            ^ entry(0, h);
    }
    for &octet in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ entry(0, low ^ octet);
    }
    crc
}

fn entry(table: usize, octet: u8) -> u32 {
    TABLES[table][usize::from(octet)]
}

#[expect(clippy::cast_possible_truncation, reason = "an index below 256; const fn has no try_from")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut octet = 0;
    while octet < 256 {
        let mut crc = octet as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][octet] = crc;
        octet += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut octet = 0;
        while octet < 256 {
            let before = tables[table - 1][octet];
            tables[table][octet] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            octet += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn known_values() {
        // The check value of the CRC catalogue, and the vectors of RFC 3720 §B.4.
        let ascending: Vec<u8> = (0..32).collect();
        for (octets, expected) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&[], 0),
        ] {
            assert_eq!(crc32c(&[octets]), expected, "{octets:?}");
        }
    }

    #[test]
    fn parts_are_one_text() {
        let text = b"the quick brown fox jumps over the lazy dog";
        for cut in 0..text.len() {
            assert_eq!(crc32c(&[&text[..cut], &text[cut..]]), crc32c(&[text]), "{cut}");
        }
    }
}
