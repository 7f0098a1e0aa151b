%%% @doc Reading posts: `<items/>' of XEP-0060, section 6.5, on streams and on single posts.
-module(twitter_items).

-include_lib("xmpp/include/xmpp.hrl").

-export([read/2, page/3]).

%% @doc Answers an `<items/>' request.
-spec read(twitter_view:view(), #pubsub{}) -> #pubsub{}.
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = []} = Items, rsm = Rsm}) ->
    #{reader := #{lang := Lang}} = View,
    #ps_items{max_items = Max} = Items,
    Request = twitter_rsm:request(oldest_first, Rsm, {last_page, Max}, Lang),
    {Posts, Page} = page(View, Request, fun item/1),
    (answer(View, Posts))#pubsub{rsm = twitter_rsm:answer(Rsm, Page)};
read(#{node := {stream, _}} = View, #pubsub{items = #ps_items{items = Wanted}}) ->
    #{reader := #{host := Host}, authors := Authors} = View,
    Found = [Post || #ps_item{id = Id} <- lists:uniq(Wanted),
                     Post <- twitter_index:find(Host, Authors, Id)],
    answer(View, load(Host, Found, fun item/1));
read(#{reader := #{host := Host}, post := Post} = View, #pubsub{}) ->
    answer(View, load(Host, [Post], fun item/1));
read(#{reader := #{lang := Lang}}, #pubsub{}) ->
    twitter_error:refuse(no_items_here, Lang).

answer(#{node := Node}, Items) ->
    #pubsub{items = #ps_items{node = twitter_path:id(Node), items = Items}}.

%% @doc The posts of one page of a stream, each shown by `Show'.
-spec page(twitter_view:view(), twitter_nif:request(),
           fun((twitter_store:post()) -> Shown)) -> {[Shown], twitter_nif:page()}.
page(#{reader := #{host := Host, lang := Lang}, authors := Authors}, Request, Show) ->
    case twitter_index:page(Host, Authors, Request) of
        {ok, {Posts, _, _, _, _} = Page} -> {load(Host, Posts, Show), Page};
        {error, bad_cursor} -> twitter_error:refuse(bad_cursor, Lang)
    end.

%% A post that went between index and storage is left out.
load(Host, Posts, Show) ->
    [Show(Post) || {Author, Id} <- Posts, {ok, Post} <- [twitter_store:post(Host, Author, Id)]].

item(#{author := Author, id := Id, payload := Payload}) ->
    #ps_item{id = Id, publisher = Author, sub_els = twitter_post:unwrap(Payload)}.
