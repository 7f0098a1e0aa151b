%%% @doc Reading posts: `<items/>' of XEP-0060, section 6.5, on streams and on single posts.
-module(twitter_items).

-include_lib("xmpp/include/xmpp.hrl").

-export([read/2, page/3, load/3]).

%% How many items a client may name in one request, and how many it gets at most.
-define(MAX_IDS, 1000).
%% After so many bytes of payloads an answer ends, so that no stanza grows beyond measure.
-define(MAX_BYTES, 1_000_000).
%% So many posts are read at once: few enough not to read much that the answer has no room for.
-define(BATCH, 50).

%% @doc Answers an `<items/>' request.
-spec read(twitter_view:view(), #pubsub{}) -> #pubsub{}.
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = []} = Items, rsm = Rsm}) ->
    #{reader := #{lang := Lang}} = View,
    #ps_items{max_items = Max} = Items,
    Request = twitter_rsm:request(oldest_first, Rsm, {last_page, Max}, Lang),
    {Posts, Page} = page(View, Request, fun item/1),
    (answer(View, Posts))#pubsub{rsm = twitter_rsm:answer(Rsm, Page)};
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = Wanted}}) ->
    #{reader := #{service := Service, lang := Lang} = Reader, authors := Authors} = View,
    length(Wanted) =< ?MAX_IDS orelse twitter_error:refuse({many_ids, ?MAX_IDS}, Lang),
    Ids = [Id || #ps_item{id = Id} <- Wanted],
    Name = twitter_reader:local_name(Reader),
    Found = twitter_index:find(Service, Authors, Name, Ids, ?MAX_BYTES),
    answer(View, lists:map(fun item/1, load(Service, Name, lists:sublist(Found, ?MAX_IDS))));
read(#{reader := #{service := Service} = Reader, post := Post} = View, #pubsub{}) ->
    answer(View, lists:map(fun item/1, load(Service, twitter_reader:local_name(Reader), [Post])));
read(#{reader := #{lang := Lang}}, #pubsub{}) ->
    twitter_error:refuse(no_items_here, Lang).

answer(#{node := Node}, Items) ->
    #pubsub{items = #ps_items{node = twitter_path:id(Node), items = Items}}.

%% @doc The posts of one page of a stream, each shown by `Show'.
-spec page(twitter_view:view(), twitter_nif:request(),
           fun((twitter_store:post()) -> Shown)) -> {[Shown], twitter_nif:page()}.
page(#{reader := #{service := Service, lang := Lang} = Reader, authors := Authors} = View, Request, Show) ->
    Name = twitter_reader:local_name(Reader),
    case twitter_index:page(Service, Authors, Name, Request, ?MAX_BYTES) of
        {ok, Page} ->
            {Posts, Shortened} = fit(Service, {Authors, Name}, Request, Page),
            ok = seen(View, Posts),
            {lists:map(Show, Posts), Shortened};
        {error, bad_cursor} ->
            twitter_error:refuse(bad_cursor, Lang)
    end.

%% Between the posts of a page of FriendsStream there are no others. What an admin sees the reader does not.
seen(#{node := {stream, friends}, reader := #{acts := himself} = Reader}, [_ | _] = Posts) ->
    Times = [twitter_store:micros(At) || #{at := At} <- Posts],
    twitter_unread:seen(Reader, lists:min(Times), lists:max(Times));
seen(_View, _Posts) ->
    ok.

%% The posts of a page, or of the shorter one that is not too large: of the posts next to the anchor.
fit(Service, {Authors, Name} = Whose, {Order, Anchor, _Limit}, {Posts, _, _, _, _} = Page) ->
    {Tried, Loaded} = load(Service, Name, from(Anchor, Posts), ?MAX_BYTES, 0, []),
    case length(Posts) of
        Tried ->
            {lists:reverse(from(Anchor, Loaded)), Page};
        _ ->
            Request = {Order, Anchor, Tried},
            {ok, Shorter} = twitter_index:page(Service, Authors, Name, Request, ?MAX_BYTES),
            fit(Service, Whose, Request, Shorter)
    end.

%% A page that ends at its anchor is read from its end.
from(last_page, Posts) -> lists:reverse(Posts);
from({before, _}, Posts) -> lists:reverse(Posts);
from(_, Posts) -> Posts.

%% @doc Posts that a page or a search has named, with their payloads, in the same order: as many as come to a
%% megabyte. One that went meanwhile is left out.
-spec load(twitter_service:served(), twitter_index:reader(), [twitter_nif:post()]) -> [twitter_store:post()].
load(Service, Name, Posts) ->
    {_Tried, Loaded} = load(Service, Name, Posts, ?MAX_BYTES, 0, []),
    lists:reverse(Loaded).

%% How many posts were looked at until there were enough bytes, and those found, the last one first. A
%% post that went between index and storage is left out.
load(Service, Name, [_ | _] = Posts, Bytes, Tried, Loaded) when Bytes > 0 ->
    {Batch, Rest} = lists:split(min(?BATCH, length(Posts)), Posts),
    {Left, NowTried, NowLoaded} = take(twitter_index:read(Service, Name, Batch), Bytes, Tried, Loaded),
    load(Service, Name, Rest, Left, NowTried, NowLoaded);
load(_Service, _Name, _Posts, _Bytes, Tried, Loaded) ->
    {Tried, Loaded}.

take([{Size, Post} | Read], Bytes, Tried, Loaded) when Bytes > 0 ->
    take(Read, Bytes - Size, Tried + 1, [Post | Loaded]);
take([gone | Read], Bytes, Tried, Loaded) when Bytes > 0 ->
    take(Read, Bytes, Tried + 1, Loaded);
take(_Read, Bytes, Tried, Loaded) ->
    {Bytes, Tried, Loaded}.

item(#{author := Author, id := Id, payload := Payload}) ->
    #ps_item{id = Id, publisher = Author, sub_els = twitter_post:unwrap(Payload)}.
