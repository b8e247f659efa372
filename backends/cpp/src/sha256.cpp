// One context for many digests; HMAC by its definition (RFC 2104).
#include "sha256.h"
#include <algorithm>
#include <cstdlib>

namespace pausemark {

constexpr std::size_t block_bytes = 64;
static EVP_MD *sha256_algorithm; // for the life of the process

static void demand(int result) noexcept {
    if (result != 1)
        std::abort();
}

hex_digest to_hex(const sha256_digest &digest) noexcept {
    hex_digest hex;
    put_hex(hex.data(), digest);
    return hex;
}

bool sha256::start() noexcept {
    sha256_algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    return sha256_algorithm != nullptr;
}

bool sha256::open() noexcept {
    context_.reset(EVP_MD_CTX_new());
    return context_ != nullptr &&
           EVP_DigestInit_ex2(context_.get(), sha256_algorithm, nullptr) == 1;
}

void sha256::restart() noexcept {
    demand(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr));
}

void sha256::add(text bytes) noexcept {
    demand(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

void sha256::add(std::span<const std::uint8_t> bytes) noexcept {
    demand(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

sha256_digest sha256::finish() noexcept {
    sha256_digest digest;
    demand(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
    return digest;
}

using key_block = std::array<std::uint8_t, block_bytes>;

static key_block to_block(sha256 &hash, std::span<const std::uint8_t> key) noexcept {
    key_block block{};
    if (key.size() <= block.size()) {
        std::ranges::copy(key, block.begin());
        return block;
    }
    hash.restart();
    hash.add(key);
    std::ranges::copy(hash.finish(), block.begin());
    return block;
}

static void begin_with(sha256 &hash, key_block block, std::uint8_t pad) noexcept {
    for (std::uint8_t &byte : block)
        byte ^= pad;
    hash.restart();
    hash.add(block);
}

sha256_digest hmac_sha256(sha256 &hash, std::span<const std::uint8_t> key,
                          std::initializer_list<text> lines) noexcept {
    const key_block block = to_block(hash, key);
    begin_with(hash, block, 0x36);
    for (const text *line = lines.begin(); line != lines.end(); line++) {
        if (line != lines.begin())
            hash.add("\n");
        hash.add(*line);
    }
    const sha256_digest inner = hash.finish();
    begin_with(hash, block, 0x5c);
    hash.add(inner);
    return hash.finish();
}

} // namespace pausemark
