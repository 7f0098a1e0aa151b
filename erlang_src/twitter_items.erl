%%% @doc Reading posts: `<items/>' of XEP-0060, section 6.5, on streams and on single posts.
-module(twitter_items).

-include_lib("xmpp/include/xmpp.hrl").

-export([read/3, page/4]).

%% @doc Answers an `<items/>' request.
-spec read(twitter_reader:reader(), twitter_nif:node_term(), #pubsub{}) -> #pubsub{}.
read(Reader, {stream, Stream} = Node, #pubsub{items = #ps_items{items = []} = Items, rsm = Rsm}) ->
    #ps_items{max_items = Max} = Items,
    #{lang := Lang} = Reader,
    Request = twitter_rsm:request(oldest_first, Rsm, {last_page, Max}, Lang),
    {Posts, Page} = page(Reader, Stream, Request, fun item/1),
    #pubsub{items = #ps_items{node = twitter_path:id(Node), items = Posts}, rsm = rsm(Rsm, Page)};
read(#{host := Host} = Reader, {stream, Stream} = Node, #pubsub{items = #ps_items{items = Wanted}}) ->
    Authors = twitter_reader:authors(Reader, Stream),
    Found = [Post || #ps_item{id = Id} <- lists:uniq(Wanted),
                     Post <- twitter_index:find(Host, Authors, Id)],
    #pubsub{items = #ps_items{node = twitter_path:id(Node), items = load(Host, Found, fun item/1)}};
read(#{host := Host} = Reader, {post, _} = Node, #pubsub{}) ->
    Post = twitter_reader:find(Reader, Node),
    #pubsub{items = #ps_items{node = twitter_path:id(Node),
                              items = load(Host, [Post], fun item/1)}};
read(#{lang := Lang}, _Collection, #pubsub{}) ->
    twitter_error:refuse(no_items_here, Lang).

%% @doc The posts of one page of a stream, each shown by `Show'.
-spec page(twitter_reader:reader(), twitter_nif:stream(), twitter_nif:request(),
           fun((twitter_store:post()) -> Shown)) -> {[Shown], twitter_nif:page()}.
page(#{host := Host, lang := Lang} = Reader, Stream, Request, Show) ->
    case twitter_index:page(Host, twitter_reader:authors(Reader, Stream), Request) of
        {ok, {Posts, _, _, _, _} = Page} -> {load(Host, Posts, Show), Page};
        {error, bad_cursor} -> twitter_error:refuse(bad_cursor, Lang)
    end.

%% A post that went between index and storage is left out.
load(Host, Posts, Show) ->
    [Show(Post) || {Author, Id} <- Posts, {ok, Post} <- [twitter_store:post(Host, Author, Id)]].

item(#{author := Author, id := Id, payload := Payload}) ->
    #ps_item{id = Id, publisher = Author, sub_els = twitter_post:unwrap(Payload)}.

%% A client that knows no result sets gets one only if there is more than it was sent.
rsm(undefined, {Posts, _, _, _, Count}) when length(Posts) =:= Count -> undefined;
rsm(_, Page) -> twitter_rsm:answer(Page).
