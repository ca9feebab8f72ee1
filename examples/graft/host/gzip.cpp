#include "host/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <new>
#include <utility>

#include "graft/core/error.hpp"

namespace graft::program {

void gunzip::closer::operator()(z_stream_s* z) const {
  ::inflateEnd(z);
  delete z;
}

gunzip::gunzip(std::string path) : path_(std::move(path)), z_(new z_stream_s()) {
  if (::inflateInit2(z_.get(), 15 + 16) != Z_OK) throw std::bad_alloc();  // the largest window, gzip's header
}

std::size_t gunzip::unpack(std::string_view& packed, char* into, std::size_t count) {
  if (!inside_) {
    const std::size_t start = begun_ ? std::min(packed.find_first_not_of('\0'), packed.size()) : 0;
    packed.remove_prefix(start);
    offset_ += start;
    if (packed.empty()) return 0;
    ::inflateReset(z_.get());
    begun_ = inside_ = true;
  }
  constexpr std::size_t most = 1U << 30;
  const auto some = static_cast<uInt>(std::min(packed.size(), most)), capacity = static_cast<uInt>(std::min(count, most));
  z_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z_->avail_in = some;
  z_->next_out = reinterpret_cast<Bytef*>(into);
  z_->avail_out = capacity;
  const int code = ::inflate(z_.get(), Z_NO_FLUSH);
  packed.remove_prefix(some - z_->avail_in);
  offset_ += some - z_->avail_in;
  if (code == Z_MEM_ERROR) throw std::bad_alloc();
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
    throw format_error::at_byte(path_, offset_,
                                std::string("the gzip data is damaged: ") + (z_->msg != nullptr ? z_->msg : "it needs a dictionary") +
                                    "; gzip -t says the same of such a file: get it anew");
  }
  inside_ = code != Z_STREAM_END;
  return capacity - z_->avail_out;
}

void gunzip::finish() const {
  if (!inside_) return;
  throw format_error::at_byte(path_, offset_, "the gzip data ends before its end: was the file cut short, or its download? Get it anew");
}

std::string gzip(std::string_view text) {
  z_stream z{};
  if (::deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  std::string packed(::deflateBound(&z, static_cast<uLong>(text.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(packed.data());
  z.avail_out = static_cast<uInt>(packed.size());
  ::deflate(&z, Z_FINISH);  // there is room for all of it
  packed.resize(packed.size() - z.avail_out);
  ::deflateEnd(&z);
  return packed;
}

}  // namespace graft::program
