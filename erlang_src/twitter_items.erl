%%% @doc Reading posts: `<items/>' of XEP-0060, section 6.5, on streams and on single posts.
-module(twitter_items).

-include_lib("xmpp/include/xmpp.hrl").

-export([read/2, page/3]).

%% How many items a client may name in one request.
-define(MAX_IDS, 1000).

%% @doc Answers an `<items/>' request.
-spec read(twitter_view:view(), #pubsub{}) -> #pubsub{}.
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = []} = Items, rsm = Rsm}) ->
    #{reader := #{lang := Lang}} = View,
    #ps_items{max_items = Max} = Items,
    Request = twitter_rsm:request(oldest_first, Rsm, {last_page, Max}, Lang),
    {Posts, Page} = page(View, Request, fun item/1),
    (answer(View, Posts))#pubsub{rsm = twitter_rsm:answer(Rsm, Page)};
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = Wanted}}) ->
    #{reader := #{service := Service, lang := Lang}, authors := Authors} = View,
    length(Wanted) =< ?MAX_IDS orelse twitter_error:refuse({many_ids, ?MAX_IDS}, Lang),
    Found = twitter_index:find(Service, Authors, [Id || #ps_item{id = Id} <- Wanted]),
    answer(View, load(Service, Found, fun item/1));
read(#{reader := #{service := Service}, post := Post} = View, #pubsub{}) ->
    answer(View, load(Service, [Post], fun item/1));
read(#{reader := #{lang := Lang}}, #pubsub{}) ->
    twitter_error:refuse(no_items_here, Lang).

answer(#{node := Node}, Items) ->
    #pubsub{items = #ps_items{node = twitter_path:id(Node), items = Items}}.

%% @doc The posts of one page of a stream, each shown by `Show'.
-spec page(twitter_view:view(), twitter_nif:request(),
           fun((twitter_store:post()) -> Shown)) -> {[Shown], twitter_nif:page()}.
page(#{reader := #{service := Service, lang := Lang}, authors := Authors}, Request, Show) ->
    case twitter_index:page(Service, Authors, Request) of
        {ok, {Posts, _, _, _, _} = Page} -> {load(Service, Posts, Show), Page};
        {error, bad_cursor} -> twitter_error:refuse(bad_cursor, Lang)
    end.

%% A post that went between index and storage is left out.
load(#{host := Host}, Posts, Show) ->
    [Show(Post) || {Author, Id} <- Posts, {ok, Post} <- [twitter_store:post(Host, Author, Id)]].

item(#{author := Author, id := Id, payload := Payload}) ->
    #ps_item{id = Id, publisher = Author, sub_els = twitter_post:unwrap(Payload)}.
